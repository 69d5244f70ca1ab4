"""The bytes of a scene in transform coding (docs/reference/format.md, "Layers of the codec transform").

    | header | alpha mask | vectors | decoder | tables | masks | latents | what its flags add |

Latents are coded by the integers in `tables`, channel after channel, where masks have them; nothing that is read
depends on a float.

The frame is that of `checked_parts`. Version 1 has the parts of the paper's codec. Version 2 has a byte of flags, each
of which adds or leaves out parts.
"""

import struct
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.checked_parts import header_size, join_parts, sizes_of_parts, split_parts
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.compression.network_bytes import BITS as NUMBER_BITS
from manyfields.compression.network_bytes import decode_network, encode_network, network_bytes
from manyfields.compression.transform.decoder import (
    DECODER_BITS,
    MOST_CHANNELS,
    MOST_NUMBERS,
    WholeDecoder,
    decode_decoder,
    encode_decoder,
)
from manyfields.compression.transform.hyperprior import CLASSES, HYPER_PARTS, CodedHyper
from manyfields.compression.transform.latents import LatentTables, kept_latents
from manyfields.compression.transform.masks import decode_masks, encode_masks
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.stacked_planes import plane_sizes
from manyfields.families.tensor_planes.transform.scene import CodedScene, CommonTransform, latent_sizes
from manyfields.fields.axes import VECTOR_AXES, Resolution


def encode_coded(scene: CodedScene) -> bytes:
    """The bytes of a scene. Raises CollectionError for NaN, ValueError for what the format cannot say."""
    hidden, latent = scene.decoder.second.weights.shape[0], scene.decoder.first.weights.shape[0]
    _check_sizes(scene.resolution, sum(scene.components), latent, hidden, scene.decoder.bits, scene.vector_bits)
    parts = {
        "alpha mask": encode_hull(scene.alpha.cpu().numpy()),
        "vectors": encode_network(torch.cat([vector.flatten() for vector in scene.vectors]), scene.vector_bits),
        **({} if scene.common else {"decoder": encode_decoder(scene.decoder), "tables": scene.tables.to_bytes()}),
        "masks": encode_masks([mask.numpy() for mask in scene.masks]),
        "latents": scene.tables.encode(kept_latents(scene.latents, scene.masks), scene.contexts()),
        **({} if scene.hyper is None else scene.hyper.parts()),
        **({} if scene.network is None else {NETWORK_PART: _encode_network(scene.network, scene.network_bits)}),
    }
    # Zeros stand for no map.
    numbers = torch.cat([scene.box.flatten(), torch.zeros(16) if scene.map is None else scene.map.flatten()])
    sides = len(scene.alpha), *scene.resolution, latent, hidden
    return pack_scene((scene.decoder.bits, scene.vector_bits), sides, numbers.tolist(), parts)


def decode_coded(data: bytes, config: TensorConfig, common: CommonTransform | None = None) -> CodedScene:
    """The scene in the bytes of `encode_coded`. `common`: what the codec has for scenes without decoder and tables.

    Raises CollectionError, naming the part that is damaged.
    """
    parts = unpack_scene(data)
    _, _, bits, vector_bits, _, cells, x, y, z, latent, hidden, *placed = START.unpack_from(data)
    resolution, components = (x, y, z), (config.density_components, config.appearance_components)
    try:
        _check_sizes(resolution, sum(components), latent, hidden, bits, vector_bits)
    except ValueError as error:
        raise CollectionError(f"the header: {error}") from error
    if cells != config.guide_side or config.kind != "vm":
        raise CollectionError(f"the header: a scene with a mask of {cells} cells a side is not of this family")
    box, matrix = torch.tensor(placed[:6]).view(2, 3), torch.tensor(placed[6:]).view(4, 4)
    if not bool(torch.isfinite(box).all()) or not bool((box[1] > box[0]).all()):
        raise CollectionError("the header: its box has no inside")
    if not bool(torch.isfinite(matrix).all()):
        raise CollectionError("the header: its map holds numbers that are not finite")
    sizes = latent_sizes(resolution)
    masks = tuple(torch.from_numpy(mask) for mask in decode_masks(parts["masks"], sizes))
    hyper, contexts = None, None
    if HYPER_PARTS[0] in parts:
        hyper = CodedHyper.of_parts(parts, sizes, latent, bits)
        contexts = kept_latents(hyper.classes(sizes), masks).flatten().numpy()
    if "decoder" in parts:
        decoder = decode_decoder(parts["decoder"], latent, hidden, sum(components), bits)
        tables = LatentTables.read(parts["tables"], latent if hyper is None else CLASSES, "tables")
    else:
        decoder, tables = _taken(common, (latent, hidden, sum(components), bits))
    return CodedScene(
        box,
        torch.from_numpy(decode_hull(parts["alpha mask"], (cells,) * 3)),
        matrix if bool(matrix.any()) else None,
        resolution,
        components,
        _decode_vectors(parts["vectors"], resolution, components, vector_bits),
        vector_bits,
        decoder,
        masks,
        tables.decode(parts["latents"], masks, latent, "latents", contexts),
        tables,
        hyper,
        **_decode_network(parts[NETWORK_PART], config) if NETWORK_PART in parts else {},
        common="decoder" not in parts,
    )


def _taken(common: CommonTransform | None, sizes: tuple[int, int, int, int]) -> tuple[WholeDecoder, LatentTables]:
    """What the codec has for a scene of some sizes."""
    if common is None:
        raise CollectionError("its decoder is that of a codec learned from other scenes, which is not at hand")
    if common.sizes != sizes:
        raise CollectionError(f"the header: made for a decoder of sizes {sizes}, that of the codec has {common.sizes}")
    return common.decoder, common.tables


def _check_sizes(resolution: Resolution, channels: int, latent: int, hidden: int, bits: int, vector_bits: int) -> None:
    """ValueError for sizes that no scene of this format has."""
    if min(resolution) < 2 or not (1 <= latent <= MOST_CHANNELS and 1 <= hidden <= MOST_CHANNELS):
        raise ValueError(f"{resolution} texels, {latent} latents and {hidden} hidden channels: too few or too many")
    # What decoding needs memory for: planes, a hidden layer of a quarter of their texels, latents of a quarter of that.
    texels = sum(rows * columns for rows, columns in plane_sizes(resolution))
    if texels * (channels + hidden / 4 + latent / 16) > MOST_NUMBERS:
        raise ValueError(f"{resolution} texels with {channels} channels: more than {MOST_NUMBERS} numbers to decode")
    if bits not in DECODER_BITS or vector_bits not in NUMBER_BITS:
        raise ValueError(f"a decoder of {bits} bits and vectors of {vector_bits}: not known here")


def _decode_vectors(
    data: bytes, resolution: Resolution, components: tuple[int, int], bits: int
) -> tuple[Float[Tensor, "_ _"], ...]:
    shapes = [(resolution[axis], width) for width in components for axis in VECTOR_AXES]
    counts = [length * width for length, width in shapes]
    numbers = _decode_numbers(data, sum(counts), bits, "vectors")
    return tuple(part.view(shape) for part, shape in zip(numbers.split(counts), shapes, strict=True))


def _encode_network(numbers: Float[Tensor, " p"], bits: int) -> bytes:
    """| 1 byte: bits | numbers |"""
    return bytes([bits]) + encode_network(numbers, bits)


def _decode_network(data: bytes, config: TensorConfig) -> dict[str, Any]:
    if data[:1] not in [bytes([bits]) for bits in NUMBER_BITS]:
        raise CollectionError(f"{NETWORK_PART}: numbers of {data[:1].hex() or 'no'} bits are not known here")
    return {
        "network": _decode_numbers(data[1:], config.numbers, data[0], NETWORK_PART),
        "network_bits": data[0],
    }


def _decode_numbers(data: bytes, count: int, bits: int, what: str) -> Float[Tensor, " p"]:
    expected = network_bytes(count, bits)
    if len(data) != expected:
        raise CollectionError(f"{what}: {len(data)} bytes where {expected} are due")
    return decode_network(data, count, bits)


MAGIC = b"MFTC"
VERSION, VERSION_WITH_FLAGS = 1, 2
START = struct.Struct("<4s4B6H22f")
PARTS = ("alpha mask", "vectors", "decoder", "tables", "masks", "latents")
NETWORK_PART = "own network"
HYPERPRIOR = 1
"""Flag: the tables are those of classes, which hyper-latents tell for each latent."""
OWN_NETWORK = 2
"""Flag: the scene has a network of its own, in the place of that of the shared part."""
COMMON = 4
"""Flag: decoder and tables are those of the codec's file, not of the scene. Not together with a hyperprior."""
COMMON_PARTS = ("decoder", "tables")
FLAGS = HYPERPRIOR | OWN_NETWORK | COMMON
HEADER = header_size(START.size, len(PARTS))
"""Bytes of the header of version 1."""


def names_of(flags: int) -> tuple[str, ...]:
    """The parts of a scene with these flags, in the order of the file."""
    own = tuple(name for name in PARTS if not (flags & COMMON and name in COMMON_PARTS))
    return own + (HYPER_PARTS if flags & HYPERPRIOR else ()) + ((NETWORK_PART,) if flags & OWN_NETWORK else ())


def pack_scene(
    bits: tuple[int, int], sides: tuple[int, ...], numbers: list[float], parts: Mapping[str, bytes]
) -> bytes:
    """The bytes of a scene. `bits`: of decoder and vectors; `parts`: those of some flags, in order."""
    flags = next(flags for flags in range(FLAGS + 1) if names_of(flags) == tuple(parts))
    start = START.pack(MAGIC, VERSION_WITH_FLAGS if flags else VERSION, *bits, flags, *sides, *numbers)
    return join_parts(start, parts)


def unpack_scene(data: bytes) -> dict[str, bytes]:
    """The parts by name. Raises CollectionError for damage, naming the part that has it."""
    return split_parts(data, START.size, _names(data))


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    return sizes_of_parts(data, START.size, _names(data))


def _names(data: bytes) -> tuple[str, ...]:
    """The parts that the flags of a header speak of. Raises CollectionError for what is not known."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a scene in transform coding: it does not start with MFTC")
    if len(data) < START.size:
        raise CollectionError(f"the header: cut short, {len(data)} of {HEADER} bytes are there")
    version, flags = data[len(MAGIC)], data[len(MAGIC) + 3]
    if version not in (VERSION, VERSION_WITH_FLAGS):
        raise CollectionError(f"a scene of version {version}; this manyfields reads 1 and 2, use a newer one")
    known = not flags & ~FLAGS and flags & (HYPERPRIOR | COMMON) != HYPERPRIOR | COMMON
    if (flags != 0) != (version == VERSION_WITH_FLAGS) or not known:
        raise CollectionError(f"the header: flags {flags} of version {version} are not known here; use a newer one")
    return names_of(flags)
