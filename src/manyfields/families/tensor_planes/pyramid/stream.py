"""The bytes of a scene by a pyramid of latents (docs/reference/format.md, "Layers of the codec pyramid").

| start | checked parts: alpha mask | vectors | mixes | gains | tables | latents | own network, if flagged |
"""

import struct
import zlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.compression.checked_parts import join_parts, sizes_of_parts, split_parts
from manyfields.compression.context_classes import BITS
from manyfields.compression.entropy import decode_symbols, encode_symbols, read_tables, tables_to_bytes
from manyfields.compression.frequencies import FrequencyTable
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.compression.latent_contexts import LARGEST_REACH, RANGES, PyramidTables
from manyfields.compression.latent_pyramid import LEVELS, latents_that_count, sides_of
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.pyramid.scene import (
    GAIN_LEVELS,
    MOST_GAIN,
    MOST_SHIFT,
    WIDEST_MIX,
    Mixes,
    PyramidScene,
    side_of,
    texels_read,
)
from manyfields.families.tensor_planes.pyramid.vectors import NETWORK
from manyfields.fields.axes import Resolution

MAGIC, VERSION = b"MFTP", 1
START = struct.Struct("<4s4B4H22f3f")
TABLES = struct.Struct("<BBI")
OWN_NETWORK = 1
PARTS = ("alpha mask", "vectors", "mixes", "gains", "tables", "latents")
MOST_TEXELS = 4096  # along a side: what a few bytes may claim
MOST_CLASSES = 255


def encode_pyramid(scene: PyramidScene) -> bytes:
    masks = scene.masks()
    parts = {
        "alpha mask": encode_hull(scene.alpha.cpu().numpy()),
        "vectors": scene.vectors,
        "mixes": _encode_mixes(scene.mixes),
        "gains": encode_symbols((scene.gains.flatten() + MOST_GAIN).numpy(), 2 * MOST_GAIN + 1),
        "tables": _encode_tables(scene.tables),
        "latents": scene.tables.encode(scene.latents, masks),
    }
    flags = 0
    if scene.network is not None:
        parts[NETWORK] = scene.network
        flags = OWN_NETWORK
    numbers = torch.cat([scene.box.flatten(), torch.zeros(16) if scene.map is None else scene.map.flatten()])
    start = START.pack(
        MAGIC,
        VERSION,
        flags,
        len(scene.latents),
        0,
        len(scene.alpha),
        *scene.resolution,
        *numbers.tolist(),
        *scene.mixes.units.tolist(),
    )
    return join_parts(start, parts)


def decode_pyramid(data: bytes, config: TensorConfig) -> PyramidScene:
    """The scene in the bytes of `encode_pyramid`. Raises CollectionError, naming the part that is damaged; vectors and
    network are looked at when its grids are made."""
    names = _names(data)
    parts = split_parts(data, START.size, names)
    _, _, _, levels, _, cells, *rest = START.unpack_from(data)
    resolution: Resolution = (rest[0], rest[1], rest[2])
    placed, units = torch.tensor(rest[3:25]), torch.tensor(rest[25:])
    box, matrix = placed[:6].view(2, 3), placed[6:].view(4, 4)
    if min(resolution) < 2 or max(resolution) > MOST_TEXELS or cells != config.guide_side or config.kind != "vm":
        raise CollectionError(f"the header: {resolution} texels, {cells} cells a side: not a scene of this family")
    if not bool(placed.isfinite().all()) or not bool((box[1] > box[0]).all()):
        raise CollectionError("the header: its box has no inside, or numbers that are not finite")
    if not bool(units.isfinite().all()) or float(units.min()) <= 0:
        raise CollectionError("the header: units of mixes that are not above 0")
    side, components = side_of(resolution), (config.density_components, config.appearance_components)
    try:
        gain_side = sides_of(side, GAIN_LEVELS)[0]
        sides_of(side, levels)
    except ValueError as error:
        raise CollectionError(f"the header: {error}") from error
    if levels not in LEVELS:
        raise CollectionError(f"the header: {levels} levels of latents are not known here")
    alpha = torch.from_numpy(decode_hull(parts["alpha mask"], (cells,) * 3))
    channels = sum(components)
    tables = _decode_tables(parts["tables"], levels, channels)
    masks = [mask.numpy() for mask in latents_that_count(texels_read(alpha, resolution), levels)]
    gains = decode_symbols(parts["gains"], 3 * gain_side**2, 2 * MOST_GAIN + 1, what="gains") - MOST_GAIN
    return PyramidScene(
        box,
        alpha,
        matrix if bool(matrix.any()) else None,
        resolution,
        components,
        parts["vectors"],
        _decode_mixes(parts["mixes"], channels, units),
        torch.from_numpy(gains).view(3, gain_side, gain_side),
        tuple(tables.decode(parts["latents"], masks, 0, "latents")),
        tables,
        parts.get(NETWORK),
    )


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of the header and of each part. Raises CollectionError for a damaged header."""
    return sizes_of_parts(data, START.size, _names(data))


def _encode_mixes(mixes: Mixes) -> bytes:
    coded = encode_symbols((mixes.whole.flatten() + WIDEST_MIX).numpy(), 2 * WIDEST_MIX + 1)
    return mixes.shifts.flatten().to(torch.uint8).numpy().tobytes() + coded


def _decode_mixes(data: bytes, channels: int, units: Float[Tensor, " 3"]) -> Mixes:
    count = 3 * channels
    shifts = torch.from_numpy(np.frombuffer(data[:count], np.uint8).astype(np.int64))
    if len(shifts) < count or int(shifts.max()) > MOST_SHIFT:
        raise CollectionError("mixes: cut short, or rows that are doubled too often")
    whole = decode_symbols(data[count:], count * channels, 2 * WIDEST_MIX + 1, what="mixes") - WIDEST_MIX
    return Mixes(torch.from_numpy(whole).view(3, channels, channels), shifts.view(3, channels), units)


def _encode_tables(tables: PyramidTables) -> bytes:
    """| classes | reach | size of the frequencies | frequencies of each class, deflated | class of each context |."""
    count = len(tables.frequencies)
    # The frequencies of latents that hardly occur are all alike.
    own = zlib.compress(tables_to_bytes([FrequencyTable(row, BITS) for row in tables.frequencies]), 9)
    return TABLES.pack(count, tables.reach, len(own)) + own + encode_symbols(tables.classes.ravel(), count)


def _decode_tables(data: bytes, levels: int, channels: int) -> PyramidTables:
    if len(data) < TABLES.size:
        raise CollectionError("tables: cut short")
    count, reach, size = TABLES.unpack_from(data)
    end = TABLES.size + size
    if not 1 <= count <= MOST_CLASSES or not 1 <= reach <= LARGEST_REACH or end > len(data):
        raise CollectionError("tables: of sizes that are not known here")
    try:
        own = zlib.decompressobj().decompress(data[TABLES.size : end], MOST_CLASSES * 4 * (2 * LARGEST_REACH + 1))
    except zlib.error as error:
        raise CollectionError(f"tables: damaged ({error})") from error
    tables, read = read_tables(own, 2 * reach + 1, count, "tables")
    if read != len(own):
        raise CollectionError("tables: bytes after the last of them")
    frequencies = np.stack([own.frequencies for own in tables])
    if (frequencies < 1).any() or (frequencies.sum(1) != 1 << BITS).any():
        raise CollectionError(f"tables: frequencies that are not at least 1, or do not sum to 2^{BITS}")
    shape = levels, channels, RANGES, RANGES
    classes = decode_symbols(data[end:], int(np.prod(shape)), count, what="tables")
    return PyramidTables(classes.reshape(shape), frequencies)


def _names(data: bytes) -> tuple[str, ...]:
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollectionError("not a scene by a pyramid of latents: it does not start with MFTP")
    if len(data) < START.size:
        raise CollectionError(f"the header: cut short, {len(data)} bytes are there")
    if data[4] != VERSION or data[5] & ~OWN_NETWORK:
        raise CollectionError(f"the header: version {data[4]}, flags {data[5]}: not known here; use a newer manyfields")
    return (*PARTS, NETWORK) if data[5] & OWN_NETWORK else PARTS
