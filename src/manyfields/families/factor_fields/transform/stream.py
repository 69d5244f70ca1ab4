"""The bytes of a scene of factor fields in transform coding.

See docs/reference/format.md, "Factor fields in the codec transform".

    | header | alpha mask | scales | coefficients | decoder | tables | masks | latents |

Latents are coded by the integers in `tables`, channel after channel, where masks have them; nothing that is read
depends on a float.
"""

import struct

import torch
from torch import Tensor

from manyfields.compression.checked_parts import join_parts, sizes_of_parts, split_parts
from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.compression.network_bytes import BITS as COEFFICIENT_BITS
from manyfields.compression.network_bytes import decode_network, encode_network, network_bytes
from manyfields.compression.transform.decoder import (
    DECODER_BITS,
    MOST_CHANNELS,
    MOST_NUMBERS,
    decode_decoder,
    encode_decoder,
)
from manyfields.compression.transform.latents import LatentTables, kept_latents
from manyfields.compression.transform.masks import decode_masks, encode_masks
from manyfields.errors import CollectionError
from manyfields.families.factor_fields.codec import check_scene, read_box
from manyfields.families.factor_fields.field import FactorConfig
from manyfields.families.factor_fields.transform.scene import CodedFactors, latent_cubes

PARTS = ("alpha mask", "scales", "coefficients", "decoder", "tables", "masks", "latents")
MAGIC, VERSION = b"MFTF", 1
START = struct.Struct("<4s4B6H6f")


def encode_factors(scene: CodedFactors) -> bytes:
    """The bytes of a scene. Raises CollectionError for NaN, ValueError for what the format cannot say."""
    hidden, latent = scene.decoder.second.weights.shape[0], scene.decoder.first.weights.shape[0]
    bits = scene.decoder.bits, scene.coefficient_bits
    _check_sizes(scene.sides, scene.widths, latent, hidden, *bits)
    parts = {
        "alpha mask": encode_hull(scene.alpha.cpu().numpy()),
        "scales": to_halves(scene.scales, "scales"),
        "coefficients": encode_network(scene.coefficients.flatten(), scene.coefficient_bits),
        "decoder": encode_decoder(scene.decoder),
        "tables": scene.tables.to_bytes(),
        # A row is a slab, so that the bit above is that of the texel below in the volume.
        "masks": encode_masks([mask.flatten(1).numpy() for mask in scene.masks]),
        "latents": scene.tables.encode(kept_latents(scene.latents, scene.masks)),
    }
    z, y, x, _ = scene.coefficients.shape
    box = scene.box.flatten().tolist()
    return join_parts(START.pack(MAGIC, VERSION, *bits, 0, len(scene.alpha), x, y, z, latent, hidden, *box), parts)


def decode_factors(data: bytes, config: FactorConfig) -> CodedFactors:
    """The scene in the bytes of `encode_factors`. Raises CollectionError, naming the part that is damaged."""
    _check_start(data)
    parts = split_parts(data, START.size, PARTS)
    _, _, bits, coefficient_bits, zero, cells, x, y, z, latent, hidden, *placed = START.unpack_from(data)
    try:
        _check_sizes(config.sides, config.widths, latent, hidden, bits, coefficient_bits)
        check_scene(config, cells, (x, y, z))
        box = read_box(placed)
    except (ValueError, CollectionError) as error:
        raise CollectionError(f"the header: {error}") from error
    if zero:
        raise CollectionError(f"the header: flags {zero} are not known here; use a newer version")
    cubes = latent_cubes(config.sides)
    flat = decode_masks(parts["masks"], [(deep, high * wide) for deep, high, wide in cubes])
    masks = tuple(torch.from_numpy(mask.copy()).view(cube) for mask, cube in zip(flat, cubes, strict=True))
    tables = LatentTables.read(parts["tables"], latent, "tables")
    return CodedFactors(
        box,
        torch.from_numpy(decode_hull(parts["alpha mask"], (cells,) * 3)),
        config.sides,
        config.widths,
        _decode_scales(parts["scales"], len(config.sides)),
        _decode_coefficients(parts["coefficients"], (z, y, x, sum(config.widths)), coefficient_bits),
        coefficient_bits,
        decode_decoder(parts["decoder"], latent, hidden, max(config.widths), bits, dimensions=3),
        masks,
        tables.decode(parts["latents"], masks, latent, "latents"),
        tables,
    )


def factor_part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    _check_start(data)
    return sizes_of_parts(data, START.size, PARTS)


def _check_start(data: bytes) -> None:
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a scene of factor fields in transform coding: it does not start with MFTF")
    if len(data) > len(MAGIC) and data[len(MAGIC)] != VERSION:
        raise CollectionError(
            f"a scene of version {data[len(MAGIC)]}; this manyfields reads {VERSION}, use a newer one"
        )


def _check_sizes(
    sides: tuple[int, ...], widths: tuple[int, ...], latent: int, hidden: int, bits: int, coefficient_bits: int
) -> None:
    """ValueError for sizes that no scene of this format has."""
    if not (1 <= latent <= MOST_CHANNELS and 1 <= hidden <= MOST_CHANNELS):
        raise ValueError(f"{latent} latents and {hidden} hidden channels: too few or too many")
    # What decoding needs memory for: grids, a hidden layer of an eighth of their texels, latents of an eighth of that.
    texels = sum(side**3 for side in sides)
    if texels * (max(widths) + hidden / 8 + latent / 64) > MOST_NUMBERS:
        raise ValueError(f"{texels} texels with {hidden} hidden channels: more than {MOST_NUMBERS} numbers to decode")
    if bits not in DECODER_BITS or coefficient_bits not in COEFFICIENT_BITS:
        raise ValueError(f"a decoder of {bits} bits and coefficients of {coefficient_bits}: not known here")


def _decode_scales(data: bytes, levels: int) -> Tensor:
    scales = torch.from_numpy(from_halves(data, "scales"))
    if len(scales) != levels or float(scales.min()) <= 0:
        raise CollectionError(f"scales: {len(data)} bytes are not {levels} numbers above 0")
    return scales


def _decode_coefficients(data: bytes, shape: tuple[int, ...], bits: int) -> Tensor:
    count = shape[0] * shape[1] * shape[2] * shape[3]
    expected = network_bytes(count, bits)
    if len(data) != expected:
        raise CollectionError(f"coefficients: {len(data)} bytes where {expected} are due")
    return decode_network(data, count, bits).view(shape)
