"""A scene of tensor fields in one file: planes by codebooks, everything else in 8 bits (docs/reference/format.md).

    | header | config | alpha mask | kinds of texels | codebooks | indices | kept | vectors | network | CRC32C |

Nothing else is needed to render it: the network is inside.
"""

import json
import struct
import zlib
from dataclasses import asdict, dataclass

import google_crc32c
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from manyfields.compression.bits import WIDEST, pack_bits, unpack_bits
from manyfields.compression.eight_bits import decode_eight_bits, encode_eight_bits
from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.compression.hull import decode_hull, encode_hull
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.tensor_planes.baselines.vq_planes import KEPT, PRUNED, QUANTISED, VqPlane, VqScene
from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.fields.axes import COLUMN_AXES, ROW_AXES, Resolution

MAGIC, VERSION = b"MFVT", 1
PARTS = ("config", "mask", "kinds", "codebooks", "indices", "kept", "vectors", "network")
START = struct.Struct("<4sBx3H22f6B8I")
CHECKSUM = struct.Struct("<I")
PACKED, CODED = range(2)
MOST_TEXELS = 2048  # along one axis
MOST_NUMBERS = 1 << 27  # of planes, codebooks or network: what a file may make a reader allocate
WIDEST_LAYER = 4096


@dataclass(frozen=True)
class VqFile:
    """What a file holds."""

    family: TensorFamily
    scene: VqScene


def encode_vq_scene(family: TensorFamily, scene: VqScene) -> bytes:
    """The file of one scene (kind 'vm'). Raises CollectionError for NaN."""
    parts = _parts(family, scene)
    resolution = [len(scene.vectors[2 - axis]) for axis in range(3)]
    placed = torch.cat([scene.box.flatten(), torch.zeros(16) if scene.map is None else scene.map.flatten()])
    bits = [plane.bits for plane in scene.planes]
    sizes = [len(part) for part in parts.values()]
    start = START.pack(MAGIC, VERSION, *resolution, *placed.tolist(), *bits, *sizes)
    data = start + b"".join(parts.values())
    return data + CHECKSUM.pack(google_crc32c.value(data))


def part_sizes(data: bytes) -> dict[str, int]:
    """Bytes of each part of a file, its header and checksum included: they sum to the whole file."""
    sizes = START.unpack_from(data)[-len(PARTS) :]
    return {"header": START.size + CHECKSUM.size, **dict(zip(PARTS, sizes, strict=True))}


def decode_vq_scene(data: bytes) -> VqFile:
    """The scene and its network, to the last bit the same on every machine. Raises CollectionError for other bytes."""
    if data[: len(MAGIC)] != MAGIC or len(data) < START.size + CHECKSUM.size:
        raise CollectionError("not a vector-quantised scene: it does not start with MFVT and a header")
    _, version, x, y, z, *rest = START.unpack_from(data)
    placed, bits, sizes = rest[:22], rest[22:28], rest[28:]
    if version != VERSION:
        raise CollectionError(f"a scene of version {version}; this manyfields reads {VERSION}, use a newer one")
    if len(data) != START.size + sum(sizes) + CHECKSUM.size:
        raise CollectionError(f"{len(data)} bytes, but its header tells of {START.size + sum(sizes) + CHECKSUM.size}")
    if google_crc32c.value(data[: -CHECKSUM.size]) != CHECKSUM.unpack(data[-CHECKSUM.size :])[0]:
        raise CollectionError("the file is damaged: its CRC32C is another")
    ends = START.size + np.cumsum([0, *sizes])
    pairs = zip(PARTS, ends, ends[1:], strict=False)
    parts = {name: data[int(begin) : int(end)] for name, begin, end in pairs}
    config = _read_config(parts["config"])
    _check_sizes(config, (x, y, z), bits)
    box, matrix = torch.tensor(placed[:6]).view(2, 3), torch.tensor(placed[6:]).view(4, 4)
    if not bool(torch.isfinite(torch.tensor(placed)).all()) or not bool((box[1] > box[0]).all()):
        raise CollectionError("its box has no inside, or its map holds numbers that are not finite")
    mask = torch.from_numpy(decode_hull(parts["mask"], (config.guide_side,) * 3))
    planes = _decode_planes(parts, config, (x, y, z), bits)
    vectors = [(length, width) for width in _components(config) for length in (z, y, x)]
    scene = VqScene(
        box,
        mask,
        matrix if bool(matrix.any()) else None,
        planes,
        tuple(decode_eight_bits(parts["vectors"], vectors, "vectors")),
    )
    return VqFile(_decode_network(parts["network"], config), scene)


def _parts(family: TensorFamily, scene: VqScene) -> dict[str, bytes]:
    planes = scene.planes
    return {
        "config": json.dumps({"family": "tensorf", **asdict(family.config)}, separators=(",", ":")).encode(),
        "mask": encode_hull(scene.mask.cpu().numpy()),
        "kinds": _encode_kinds([plane.kinds for plane in planes[:3]]),
        "codebooks": encode_eight_bits([plane.codebook for plane in planes], "codebooks"),
        "indices": b"".join(_encode_indices(plane) for plane in planes),
        "kept": encode_eight_bits([plane.kept for plane in planes], "kept texels"),
        "vectors": encode_eight_bits(scene.vectors, "vectors"),
        "network": encode_eight_bits([_as_matrix(each) for each in family.parameters()], "the network"),
    }


def _read_config(data: bytes) -> TensorConfig:
    try:
        values = json.loads(data)
        if values.pop("family") != "tensorf":
            raise ValueError("another family")
        config = TensorConfig(**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError) as error:
        raise CollectionError(f"its config is not that of tensor fields ({error})") from error
    return config


def _check_sizes(config: TensorConfig, resolution: Resolution, bits: list[int]) -> None:
    """Before anything is allocated by what a file says."""
    wide = (config.features, config.hidden, config.products, config.inputs, config.guide_side)
    if config.kind != "vm" or max(wide) > WIDEST_LAYER or config.guide_side > 512:
        raise CollectionError("its config is not that of a scene of planes, or of sizes beyond what is read here")
    if not all(2 <= texels <= MOST_TEXELS for texels in resolution) or not all(1 <= each <= WIDEST for each in bits):
        raise CollectionError(f"planes of {resolution} texels, codebooks of {bits} bits: not known here")
    entries = max(*(rows * columns for rows, columns in _plane_sizes(resolution)), *(1 << each for each in bits))
    if entries * sum(_components(config)) * 3 > MOST_NUMBERS:
        raise CollectionError("planes or codebooks larger than what is read here")


def _components(config: TensorConfig) -> tuple[int, int]:
    return config.density_components, config.appearance_components


def _plane_sizes(resolution: Resolution) -> list[tuple[int, int]]:
    return [(resolution[row], resolution[column]) for row, column in zip(ROW_AXES, COLUMN_AXES, strict=True)]


def _encode_kinds(kinds: list[UInt8[Tensor, "_ _"]]) -> bytes:
    """Two bits a texel, all that is pruned and then all that is kept, deflated."""
    flat = torch.cat([each.flatten() for each in kinds]).cpu().numpy()
    return zlib.compress(np.packbits(flat != PRUNED).tobytes() + np.packbits(flat == KEPT).tobytes(), 9)


def _decode_kinds(data: bytes, sizes: list[tuple[int, int]]) -> list[UInt8[Tensor, "_ _"]]:
    counts = [rows * columns for rows, columns in sizes]
    total = sum(counts)
    one = (total + 7) // 8
    inflater = zlib.decompressobj()
    try:
        packed = inflater.decompress(data, 2 * one + 1)  # never more than that, whatever the bytes claim
    except zlib.error as error:
        raise CollectionError(f"the kinds of texels are damaged ({error})") from error
    if len(packed) != 2 * one or not inflater.eof or inflater.unused_data:
        raise CollectionError(f"the kinds of texels do not hold those of {total} texels")
    stored, kept = (np.unpackbits(np.frombuffer(part, np.uint8), count=total) for part in (packed[:one], packed[one:]))
    if (kept > stored).any():
        raise CollectionError("the kinds of texels: some are pruned and kept at once")
    split = torch.from_numpy(stored * QUANTISED + kept * (KEPT - QUANTISED)).split(counts)
    return [part.view(size) for part, size in zip(split, sizes, strict=True)]


def _encode_indices(plane: VqPlane) -> bytes:
    """Coding, length, bytes: packed, or entropy coded where that is shorter."""
    indices = plane.indices.cpu().numpy()
    packed, coded = pack_bits(indices, plane.bits), encode_symbols(indices, 1 << plane.bits)
    coding, best = (CODED, coded) if len(coded) < len(packed) else (PACKED, packed)
    return struct.pack("<BI", coding, len(best)) + best


def _decode_planes(
    parts: dict[str, bytes], config: TensorConfig, resolution: Resolution, bits: list[int]
) -> tuple[VqPlane, ...]:
    kinds = _decode_kinds(parts["kinds"], _plane_sizes(resolution)) * 2
    widths = [width for width in _components(config) for _ in range(3)]
    counts = [[int((each == kind).sum()) for each in kinds] for kind in (QUANTISED, KEPT)]
    books = [(1 << each, width) for each, width in zip(bits, widths, strict=True)]
    codebooks = decode_eight_bits(parts["codebooks"], books, "codebooks")
    kept = decode_eight_bits(parts["kept"], list(zip(counts[1], widths, strict=True)), "kept texels")
    indices, data = [], parts["indices"]
    for count, width in zip(counts[0], bits, strict=True):
        if len(data) < 5:
            raise CollectionError("indices: cut short")
        coding, length = struct.unpack_from("<BI", data)
        own, data = data[5 : 5 + length], data[5 + length :]
        if coding not in (PACKED, CODED):
            raise CollectionError(f"indices of coding {coding}: not known here")
        found = unpack_bits(own, count, width) if coding == PACKED else decode_symbols(own, count, 1 << width)
        indices.append(torch.from_numpy(found))
    if data:
        raise CollectionError(f"indices: {len(data)} bytes after the last one")
    return tuple(VqPlane(*each) for each in zip(kinds, codebooks, indices, kept, strict=True))


def _as_matrix(parameter: Tensor) -> Tensor:
    """Scales belong to columns: a weight matrix has one for each of its outputs, a bias one in all."""
    return parameter.T if parameter.dim() == 2 else parameter[:, None]


def _decode_network(data: bytes, config: TensorConfig) -> TensorFamily:
    family = TensorFamily(config, torch.Generator()).requires_grad_(False)
    own = list(family.parameters())
    shapes = [_as_matrix(each).shape for each in own]
    matrices = decode_eight_bits(data, [(rows, columns) for rows, columns in shapes], "the network")
    for parameter, matrix in zip(own, matrices, strict=True):
        parameter.copy_(matrix.T if parameter.dim() == 2 else matrix[:, 0])
    return family
