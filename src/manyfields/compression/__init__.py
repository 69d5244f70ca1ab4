"""Codes to bytes and back."""

from manyfields.compression.raw import RawCodec

__all__ = ["RawCodec"]
