"""The bytes of a scene in transform coding (docs/format.md, "Layers of the codec transform").

    | header | alpha mask | vectors | decoder | tables | masks | latents |

The header tells sizes and checksums of the parts, so that damage is found and named. Latents are coded by the integers
in `tables`, channel after channel, where masks have them; nothing that is read depends on a float.
"""

import math
import struct

import google_crc32c
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.entropy import (
    decode_symbols,
    decode_with,
    encode_symbols,
    encode_with,
    read_tables,
    tables_to_bytes,
)
from manyfields.compression.frequencies import Table
from manyfields.compression.halves import from_halves, to_halves
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.compression.network_bytes import BITS as VECTOR_BITS
from manyfields.compression.network_bytes import decode_network, encode_network, network_bytes
from manyfields.compression.transform_decoder import KERNEL, WholeDecoder, WholeLayer
from manyfields.compression.transform_masks import decode_masks, encode_masks
from manyfields.compression.transform_scene import CodedScene, as_symbols, kept_latents, latent_sizes, plane_sizes
from manyfields.errors import CollectionError
from manyfields.fields import TensorConfig
from manyfields.fields.tensor_grids import VECTOR_AXES, Resolution

PARTS = ("alpha mask", "vectors", "decoder", "tables", "masks", "latents")
MAGIC, VERSION = b"MFTC", 1
START = struct.Struct("<4s4B6H22f")
ENTRY = struct.Struct("<II")
CHECKSUM = struct.Struct("<I")
RANGE = struct.Struct("<hH")
HEADER = START.size + len(PARTS) * ENTRY.size + CHECKSUM.size
LARGEST = 2047  # of latents
MOST_CHANNELS = 1024
MOST_NUMBERS = 1 << 27  # of planes and latents: what a few bytes may claim
DECODER_BITS = range(4, 13)


def encode_scene(scene: CodedScene) -> bytes:
    """The bytes of a scene. Raises CollectionError for NaN, ValueError for what the format cannot say."""
    hidden, latent = scene.decoder.second.weights.shape[0], scene.decoder.first.weights.shape[0]
    _check_sizes(scene.resolution, sum(scene.components), latent, hidden, scene.decoder.bits, scene.vector_bits)
    tables, latents = _encode_latents(scene)
    parts = (
        encode_hull(scene.alpha.cpu().numpy()),
        encode_network(torch.cat([vector.flatten() for vector in scene.vectors]), scene.vector_bits),
        _encode_decoder(scene.decoder),
        tables,
        encode_masks([mask.numpy() for mask in scene.masks]),
        latents,
    )
    # Zeros stand for no map.
    numbers = torch.cat([scene.box.flatten(), torch.zeros(16) if scene.map is None else scene.map.flatten()])
    bits = scene.decoder.bits, scene.vector_bits
    sides = len(scene.alpha), *scene.resolution, latent, hidden
    head = START.pack(MAGIC, VERSION, *bits, 0, *sides, *numbers.tolist())
    head += b"".join(ENTRY.pack(len(part), google_crc32c.value(part)) for part in parts)
    return b"".join([head, CHECKSUM.pack(google_crc32c.value(head)), *parts])


def decode_scene(data: bytes, config: TensorConfig) -> CodedScene:
    """The scene in the bytes of `encode_scene`. Raises CollectionError, naming the part that is damaged."""
    parts = _parts(data)
    _, _, bits, vector_bits, zero, cells, x, y, z, latent, hidden, *placed = START.unpack_from(data)
    resolution, components = (x, y, z), (config.density_components, config.appearance_components)
    try:
        _check_sizes(resolution, sum(components), latent, hidden, bits, vector_bits)
    except ValueError as error:
        raise CollectionError(f"the header: {error}") from error
    if cells != config.guide_side or zero or config.kind != "vm":
        raise CollectionError(f"the header: a scene with a mask of {cells} cells a side is not of this family")
    box, matrix = torch.tensor(placed[:6]).view(2, 3), torch.tensor(placed[6:]).view(4, 4)
    if not bool(torch.isfinite(box).all()) or not bool((box[1] > box[0]).all()):
        raise CollectionError("the header: its box has no inside")
    if not bool(torch.isfinite(matrix).all()):
        raise CollectionError("the header: its map holds numbers that are not finite")
    sizes = latent_sizes(resolution)
    masks = decode_masks(parts["masks"], sizes)
    tables, lowest, latents = _decode_latents(parts["tables"], parts["latents"], masks, latent)
    return CodedScene(
        box,
        torch.from_numpy(decode_hull(parts["alpha mask"], (cells,) * 3)),
        matrix if bool(matrix.any()) else None,
        resolution,
        components,
        _decode_vectors(parts["vectors"], resolution, components, vector_bits),
        vector_bits,
        _decode_decoder(parts["decoder"], latent, hidden, sum(components), bits),
        tuple(torch.from_numpy(mask) for mask in masks),
        latents,
        torch.from_numpy(np.stack([table.frequencies for table in tables])),
        tables[0].bits,
        lowest,
    )


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    return {"header": HEADER, **{name: size for name, (size, _) in zip(PARTS, _entries(data), strict=True)}}


def _entries(data: bytes) -> list[tuple[int, int]]:
    """Size and checksum of each part, from a header that was found whole."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a scene in transform coding: it does not start with MFTC")
    if len(data) < HEADER:
        raise CollectionError(f"the header: cut short, {len(data)} of {HEADER} bytes are there")
    if data[len(MAGIC)] != VERSION:
        raise CollectionError(
            f"a scene of version {data[len(MAGIC)]}; this manyfields reads {VERSION}, use a newer one"
        )
    if google_crc32c.value(data[: HEADER - CHECKSUM.size]) != CHECKSUM.unpack_from(data, HEADER - CHECKSUM.size)[0]:
        raise CollectionError("the header: damaged, its CRC32C is another")
    return [ENTRY.unpack_from(data, START.size + n * ENTRY.size) for n in range(len(PARTS))]


def _parts(data: bytes) -> dict[str, bytes]:
    parts, start = {}, HEADER
    for name, (size, checksum) in zip(PARTS, _entries(data), strict=True):
        part = data[start : start + size]
        if len(part) < size:
            raise CollectionError(f"{name}: cut short, {len(part)} of {size} bytes are there")
        if google_crc32c.value(part) != checksum:
            raise CollectionError(f"{name}: damaged, its CRC32C is another")
        parts[name], start = part, start + size
    if len(data) > start:
        raise CollectionError(f"{len(data) - start} bytes after the last part")
    return parts


def _check_sizes(resolution: Resolution, channels: int, latent: int, hidden: int, bits: int, vector_bits: int) -> None:
    """ValueError for sizes that no scene of this format has."""
    if min(resolution) < 2 or not (1 <= latent <= MOST_CHANNELS and 1 <= hidden <= MOST_CHANNELS):
        raise ValueError(f"{resolution} texels, {latent} latents and {hidden} hidden channels: too few or too many")
    # What decoding needs memory for: planes, a hidden layer of a quarter of their texels, latents of a quarter of that.
    texels = sum(rows * columns for rows, columns in plane_sizes(resolution))
    if texels * (channels + hidden / 4 + latent / 16) > MOST_NUMBERS:
        raise ValueError(f"{resolution} texels with {channels} channels: more than {MOST_NUMBERS} numbers to decode")
    if bits not in DECODER_BITS or vector_bits not in VECTOR_BITS:
        raise ValueError(f"a decoder of {bits} bits and vectors of {vector_bits}: not known here")


def _encode_latents(scene: CodedScene) -> tuple[bytes, bytes]:
    values = kept_latents(scene.latents, scene.masks)
    if values.numel() and int(values.abs().max()) > LARGEST:
        raise ValueError(f"latents beyond {LARGEST}")
    tables = [Table(own, scene.table_bits) for own in scene.frequencies.numpy()]
    words = encode_with(tables, *as_symbols(values, scene.lowest))
    return RANGE.pack(scene.lowest, scene.frequencies.shape[1]) + tables_to_bytes(tables), words


def _decode_latents(
    data: bytes, words: bytes, masks: list[np.ndarray], channels: int
) -> tuple[list[Table], int, tuple[Tensor, ...]]:
    if len(data) < RANGE.size:
        raise CollectionError("tables: cut short")
    lowest, alphabet = RANGE.unpack_from(data)
    if not 1 <= alphabet <= 2 * LARGEST + 1 or lowest < -LARGEST or lowest + alphabet - 1 > LARGEST:
        raise CollectionError(f"tables: latents from {lowest} on, {alphabet} of them: not known here")
    tables, end = read_tables(data[RANGE.size :], alphabet, channels, "tables")
    if RANGE.size + end != len(data):
        raise CollectionError("tables: bytes after the last table")
    counts = [int(mask.sum()) for mask in masks]
    contexts = np.arange(channels).repeat(sum(counts))
    symbols = decode_with(tables, words, len(contexts), contexts, "latents")
    values = torch.from_numpy(symbols + lowest).view(channels, -1)
    latents = []
    for mask, own in zip(masks, values.split(counts, 1), strict=True):
        plane = torch.zeros(channels, *mask.shape, dtype=torch.int64)
        plane[:, torch.from_numpy(mask)] = own
        latents.append(plane)
    return tables, lowest, tuple(latents)


def _encode_decoder(decoder: WholeDecoder) -> bytes:
    """| 4 bytes: size of the first layer's weights | scales, biases of both | weights of the first | of the second |"""
    offset = 2 ** (decoder.bits - 1) - 1
    layers = decoder.first, decoder.second
    numbers = b"".join(to_halves(each, "decoder") for layer in layers for each in (layer.scales, layer.biases))
    first, second = (encode_symbols((layer.weights.flatten() + offset).numpy(), 2 * offset + 1) for layer in layers)
    return CHECKSUM.pack(len(first)) + numbers + first + second


def _decode_decoder(data: bytes, latent: int, hidden: int, channels: int, bits: int) -> WholeDecoder:
    body = CHECKSUM.size + 2 * 2 * (hidden + channels)
    if len(data) < body:
        raise CollectionError(f"decoder: cut short, {len(data)} bytes")
    size = CHECKSUM.unpack_from(data)[0]
    numbers = torch.from_numpy(from_halves(data[CHECKSUM.size : body], "decoder"))
    scales, biases, more_scales, more_biases = numbers.split([hidden, hidden, channels, channels])
    if float(torch.cat([scales, more_scales]).min()) <= 0:
        raise CollectionError("decoder: a scale that is not above 0")

    def weights(part: bytes, inputs: int, outputs: int) -> Tensor:
        offset = 2 ** (bits - 1) - 1
        shape = inputs, outputs, KERNEL, KERNEL
        symbols = decode_symbols(part, math.prod(shape), 2 * offset + 1, what="decoder")
        return torch.from_numpy(symbols - offset).view(shape)

    first = WholeLayer(weights(data[body : body + size], latent, hidden), scales, biases)
    second = WholeLayer(weights(data[body + size :], hidden, channels), more_scales, more_biases)
    return WholeDecoder(first, second, bits)


def _decode_vectors(
    data: bytes, resolution: Resolution, components: tuple[int, int], bits: int
) -> tuple[Float[Tensor, "_ _"], ...]:
    shapes = [(resolution[axis], width) for width in components for axis in VECTOR_AXES]
    counts = [length * width for length, width in shapes]
    expected = network_bytes(sum(counts), bits)
    if len(data) != expected:
        raise CollectionError(f"vectors: {len(data)} bytes where {expected} are due")
    numbers = decode_network(data, sum(counts), bits)
    return tuple(part.view(shape) for part, shape in zip(numbers.split(counts), shapes, strict=True))
