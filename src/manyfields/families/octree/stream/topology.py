"""The voxels of an octree to bytes, level after level: one byte a node, entropy coded (docs/reference/vq_stream.md).

A node's byte says which of its 8 children exist: bit i, of value 1 << i, is child i, and the voxel of Morton code c is
child c & 7 of the node c >> 3. Nodes come breadth first, each level by rising Morton code:

    part of level `first`:  bytes of the root, of all nodes of level 1, ... of all nodes of level first - 1
    part of a later level l: bytes of all voxels of level l - 1

So the parts of the levels first .. l tell the voxels of these levels without the finer ones. Entropy coding takes one
table for all nodes of a part or, after level `first`, one for each set of face neighbours that a node has, whichever is
smaller: neighbours tell how a surface runs, which saves 20 to 30 % of the finest level.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from manyfields.compression.entropy import decode_symbols, encode_symbols
from manyfields.errors import CollectionError

DEEPEST = 16
MOST_VOXELS = 1 << 25  # of one level: a stream that claims more is taken for damaged, before memory is asked for
PLAIN, CODED, BY_NEIGHBOURS = 0, 1, 2
NEIGHBOUR_SETS = 64
AXIS = int("001" * (DEEPEST + 2), 2)  # the bits of x; one more than the deepest level has, to carry into
BITS = 1 << np.arange(8, dtype=np.uint8)


def encode_topology(voxels: Sequence[Int[np.ndarray, "_"]], first: int) -> list[bytes]:
    """A part for each level, from the Morton codes of the voxels of the levels first, first + 1, ...

    Raises ValueError where codes are not sorted, occur twice, lie outside their level or have no parent in the level
    before.
    """
    _check(voxels, first)
    if not voxels:
        return []
    chain = [voxels[0].astype(np.int64)]
    for _ in range(first):
        chain.append(np.unique(chain[-1] >> 3))
    chain.reverse()
    nodes = [_child_bits(parents, children) for parents, children in zip(chain, chain[1:], strict=False)]
    parts = [_to_bytes(np.concatenate([*nodes, np.zeros(0, np.uint8)]))]
    for parents, children in zip(voxels, voxels[1:], strict=False):
        parts.append(_to_bytes(_child_bits(parents, children), parents))
    return parts


def decode_topology(parts: Sequence[bytes], first: int, counts: Sequence[int]) -> list[Int[np.ndarray, "_"]]:
    """Morton codes (int64, sorted) of the voxels of the levels whose parts are given.

    `counts` says how many voxels each level has. Raises CollectionError, naming the level, where a part is damaged, or
    gives another number of voxels.
    """
    voxels: list[np.ndarray] = []
    for level, (part, count) in enumerate(zip(parts, counts, strict=False), first):
        voxels.append(decode_level(voxels[-1] if voxels else None, part, count, level))
    return voxels


def decode_level(parents: Int[np.ndarray, " p"] | None, part: bytes, count: int, level: int) -> Int[np.ndarray, " n"]:
    """The voxels of one level; `parents` are those of the level before, None for the first. See `decode_topology`."""
    what = f"topology of level {level}"
    if not 0 <= level <= DEEPEST or not 0 <= count <= min(MOST_VOXELS, 8**level):
        raise CollectionError(f"{what}: {count} voxels; a level has at most {min(MOST_VOXELS, 8**level)}")
    if parents is not None:
        return _children(parents, _from_bytes(part, len(parents), what, parents), count, what)
    stated = int.from_bytes(part[1:5], "little")
    if stated > level * count:
        raise CollectionError(f"{what}: {stated} nodes above {count} voxels")
    nodes = _from_bytes(part, stated, what)
    voxels = np.zeros(min(count, 1), np.int64)
    for _ in range(level):
        here, nodes = nodes[: len(voxels)], nodes[len(voxels) :]
        if len(here) < len(voxels) or not here.all():
            raise CollectionError(f"{what}: a node without children")
        voxels = _children(voxels, here, None, what)
        if len(voxels) > count:
            break
    if len(nodes) or len(voxels) != count:
        raise CollectionError(f"{what}: its nodes do not have {count} voxels below them")
    return voxels


def _child_bits(parents: Int[np.ndarray, " p"], children: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, " p"]:
    rows = np.searchsorted(parents, children >> 3)
    return np.bincount(rows, BITS[children & 7], minlength=len(parents)).astype(np.uint8)


def _children(
    parents: Int[np.ndarray, " p"], nodes: UInt8[np.ndarray, " p"], count: int | None, what: str
) -> Int[np.ndarray, " n"]:
    exists = np.unpackbits(nodes[:, None], axis=1, bitorder="little")
    if count is not None and int(exists.sum()) != count:
        raise CollectionError(f"{what}: its nodes have {int(exists.sum())} children, not {count}")
    rows, numbers = np.nonzero(exists)
    return (parents[rows] << 3) + numbers


def _to_bytes(nodes: UInt8[np.ndarray, " n"], codes: Int[np.ndarray, " n"] | None = None) -> bytes:
    """One byte how, four bytes how many, then the nodes; `codes` are theirs where neighbours may be contexts."""
    symbols = nodes.astype(np.int64)
    choices = [(PLAIN, nodes.tobytes()), (CODED, encode_symbols(symbols, 256))]
    if codes is not None and len(nodes) > NEIGHBOUR_SETS * 256 // 8:  # else the tables alone are longer
        choices.append((BY_NEIGHBOURS, encode_symbols(symbols, 256, face_neighbours(codes), NEIGHBOUR_SETS)))
    how, body = min(choices, key=lambda choice: len(choice[1]))
    return bytes([how]) + len(nodes).to_bytes(4, "little") + body


def _from_bytes(
    part: bytes, count: int, what: str, codes: Int[np.ndarray, " n"] | None = None
) -> UInt8[np.ndarray, " n"]:
    if len(part) < 5 or int.from_bytes(part[1:5], "little") != count:
        raise CollectionError(f"{what}: it does not have {count} nodes")
    how, body = part[0], part[5:]
    if how == CODED:
        return decode_symbols(body, count, 256, what=what).astype(np.uint8)
    if how == BY_NEIGHBOURS and codes is not None:
        return decode_symbols(body, count, 256, face_neighbours(codes), NEIGHBOUR_SETS, what).astype(np.uint8)
    if how != PLAIN or len(body) != count:
        raise CollectionError(f"{what}: {len(part)} bytes are not {count} nodes")
    return np.frombuffer(body, np.uint8)


def face_neighbours(codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Which face neighbours of each voxel are among the voxels (sorted): bits 0 to 5 for -x, +x, -y, +y, -z, +z."""
    found = np.zeros(len(codes), np.int64)
    for number, (axis, step) in enumerate((axis, step) for axis in range(3) for step in (-1, 1)):
        mask = AXIS << axis
        # A coordinate's bits lie three apart: ones between them carry a 1 across, zeros borrow it.
        moved = ((codes | ~mask) + 1 if step > 0 else (codes & mask) - 1) & mask
        sought = codes & ~mask | moved
        rows = np.searchsorted(codes, sought).clip(max=max(len(codes) - 1, 0))
        found |= (codes[rows] == sought).astype(np.int64) << number
    return found


def _check(voxels: Sequence[Int[np.ndarray, "_"]], first: int) -> None:
    if not 0 <= first <= first + len(voxels) <= DEEPEST + 1:
        raise ValueError(f"levels {first} to {first + len(voxels) - 1}: from 0 to {DEEPEST}")
    for level, codes in enumerate(voxels, first):
        if len(codes) > MOST_VOXELS:
            raise ValueError(f"level {level}: {len(codes)} voxels, more than {MOST_VOXELS}")
        if len(codes) and (int(codes[0]) < 0 or int(codes[-1]) >= 8**level or bool((np.diff(codes) <= 0).any())):
            raise ValueError(f"level {level}: Morton codes must rise strictly from 0 to {8**level - 1}")
        if level > first:
            parents = voxels[level - first - 1]
            rows = np.searchsorted(parents, codes >> 3)
            if len(codes) and (rows[-1] >= len(parents) or bool((parents[rows] != codes >> 3).any())):
                raise ValueError(f"level {level}: a voxel has no parent in level {level - 1}")
