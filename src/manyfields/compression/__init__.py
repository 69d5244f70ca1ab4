"""Bytes and entropy coding, for whatever has codes to store; no family is named here.

One idea a file: `bits`, `halves` and `eight_bits` pack numbers, `ans` and `entropy` code symbols by integer tables,
`checked_parts` frames bytes with a checksum; `vector_codebooks` and `latent_pyramid` make symbols of vectors and
planes; `transform/` holds what transform coders share; `raw` is the plain codec of tensors of one shape.
"""

from manyfields.compression.raw import RawCodec

__all__ = ["RawCodec"]
