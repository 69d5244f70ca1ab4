"""Rate-distortion curves of codecs on one run."""
