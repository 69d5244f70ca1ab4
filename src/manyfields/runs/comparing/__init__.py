"""Runs side by side: variants of a family, families, and codecs of one family, each measured from its stored bytes."""
