"""Variants, families and codecs side by side, on one budget."""
