"""Buffer views that meshoptimizer compressed (EXT_meshopt_compression, KHR_meshopt_compression).

Attributes are stored byte by byte: blocks of at most 256 vertices, in each block one plane for each byte of a vertex,
in each plane groups of 16 deltas of 0, 1, 2, 4 or 8 bits, where the largest value of a width says that a whole byte
follows. Triangles name their vertices by queues of the last edges and vertices. Nothing is decoded before the declared
count has been held against the bytes that are there.

https://github.com/KhronosGroup/glTF/blob/main/extensions/2.0/Vendor/EXT_meshopt_compression/README.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_GROUP = 16
_WIDTHS_V0, _WIDTHS_V1 = (0, 2, 4, 8), (0, 1, 2, 4, 8)
_TAIL_V0, _TAIL_V1 = 32, 24
_WORD = 0xFFFFFFFF


def _unpacked(width: int) -> list[bytes]:
    """The values that each byte holds in `width` bits each: of one bit the lowest first, else the highest first."""
    places = range(8) if width == 1 else range(8 - width, -1, -width)
    return [bytes(byte >> place & (1 << width) - 1 for place in places) for byte in range(256)]


_VALUES = {width: _unpacked(width) for width in (1, 2, 4)}
_ESCAPES = {
    width: bytes(values.count((1 << width) - 1) for values in tables) for width, tables in _VALUES.items()
}  # how many of a byte's values say that a whole byte follows


def decoded(data: bytes, entry: dict[str, Any]) -> bytes:
    """The bytes of a view from its compressed ones; `entry` is the extension's object. Raises ValueError."""
    count, stride, mode = int(entry["count"]), int(entry["byteStride"]), entry["mode"]
    if mode == "ATTRIBUTES":
        values = vertices(data, count, stride)
        return _FILTERS[entry.get("filter", "NONE")](values).tobytes()
    if stride not in (2, 4):
        raise ValueError(f"meshopt: indices of {stride} bytes")
    indices = triangles(data, count) if mode == "TRIANGLES" else sequence(data, count)
    return indices.astype("<u2" if stride == 2 else "<u4").tobytes()


def vertices(data: bytes, count: int, stride: int) -> np.ndarray:
    """Mode ATTRIBUTES: uint8 [count, stride]. Raises ValueError."""
    if not 0 < stride <= 256 or stride % 4:
        raise ValueError(f"meshopt: {stride} bytes a vertex")
    if not data or data[0] not in (0xA0, 0xA1):
        raise ValueError("meshopt: not a stream of vertices")
    version = data[0] & 15
    tail = stride + version * stride // 4
    end = len(data) - max(tail, _TAIL_V1 if version else _TAIL_V0)
    per_block = min(8192 // stride // _GROUP * _GROUP, 256)
    blocks = -(-count // per_block)
    if count < 0 or end < 1 or blocks * (stride // 4 if version else stride) > len(data):
        raise ValueError("meshopt: fewer bytes than its count says")
    last = np.frombuffer(data, np.uint8, stride, len(data) - tail)
    channels = data[len(data) - tail + stride :] if version else bytes(stride // 4)
    planes = np.zeros((stride, count), np.uint8)
    at = 1
    for start in range(0, count, per_block):
        block = planes[:, start : start + per_block]
        control = data[at : at + stride // 4] if version else bytes(stride // 4)
        at += len(control) if version else 0
        for byte in range(stride):
            how = control[byte // 4] >> byte % 4 * 2 & 3
            if how == 3:  # stored as it is
                block[byte] = np.frombuffer(data, np.uint8, block.shape[1], at)
                at += block.shape[1]
            elif how < 2:
                at = _groups(data, at, end, block[byte], _WIDTHS_V1[how:] if version else _WIDTHS_V0)
    if at != end:
        raise ValueError("meshopt: a stream of another length than its count says")
    return _summed(planes, last, channels)


def _groups(data: bytes, at: int, end: int, plane: np.ndarray, widths: Sequence[int]) -> int:
    """Fill one plane of a block from the groups at `at`; where they end."""
    groups = -(-len(plane) // _GROUP)
    header, at = data[at : at + (groups + 3) // 4], at + (groups + 3) // 4
    values, escaped, marks = [], [], []
    for group in range(groups):
        width = widths[header[group // 4] >> group % 4 * 2 & 3]
        if at > end:
            raise ValueError("meshopt: cut short")
        if width == 0:
            values.append(bytes(_GROUP))
        elif width == 8:
            values.append(data[at : at + _GROUP])
            at += _GROUP
        else:
            packed = data[at : at + 2 * width]
            at += 2 * width
            values += [_VALUES[width][byte] for byte in packed]
            extra = sum(packed.translate(_ESCAPES[width]))
            escaped.append(data[at : at + extra])
            at += extra
        marks.append((1 << width) - 1 if width in (1, 2, 4) else 256)
    found = np.frombuffer(b"".join(values), np.uint8).copy()
    found[found == np.repeat(np.array(marks, np.uint16), _GROUP)] = np.frombuffer(b"".join(escaped), np.uint8)
    plane[:] = found[: len(plane)]
    return at


def _summed(planes: np.ndarray, last: np.ndarray, channels: bytes) -> np.ndarray:
    """Deltas [stride, count] to values [count, stride], from the vertex before the first one on."""
    result = np.empty(planes.shape[::-1], np.uint8)
    for k, channel in enumerate(channels):
        four = np.ascontiguousarray(planes[4 * k : 4 * k + 4].T)
        before = last[4 * k : 4 * k + 4]
        if channel & 3 == 2:
            turn = (32 - (channel >> 4)) & 31
            words = four.view("<u4")[:, 0]
            words = words << np.uint32(turn) | words >> np.uint32(-turn & 31)
            words = np.bitwise_xor.accumulate(words) ^ before.view("<u4") if len(words) else words
            result[:, 4 * k : 4 * k + 4] = words.astype("<u4")[:, None].view(np.uint8)
        elif channel & 3 == 3:
            raise ValueError("meshopt: a channel of an unknown kind")
        else:
            kind = "<u2" if channel & 3 else "u1"
            deltas = four.view(kind)
            signed = deltas >> 1 ^ np.where(deltas & 1, np.array(-1).astype(kind), np.array(0, kind))
            values = np.cumsum(signed, axis=0, dtype=deltas.dtype) + before.view(kind)
            result[:, 4 * k : 4 * k + 4] = values.astype(kind).view(np.uint8)
    return result


def triangles(data: bytes, count: int) -> np.ndarray:
    """Mode TRIANGLES: uint32 [count]. Raises ValueError."""
    if count < 0 or count % 3 or len(data) < 1 + count // 3 + 16:
        raise ValueError("meshopt: fewer bytes than its count of triangles says")
    if data[0] not in (0xE0, 0xE1):
        raise ValueError("meshopt: not a stream of triangles")
    most = 13 if data[0] & 15 else 15
    edges: list[tuple[int, int]] = [(_WORD, _WORD)] * 16
    corners = [_WORD] * 16
    edge = corner = new = last = 0
    read = _Numbers(data, 1 + count // 3, len(data) - 16)
    table = data[-16:]
    result: list[int] = []
    for code in data[1 : 1 + count // 3]:
        if code < 0xF0:  # shares an edge
            a, b = edges[edge - 1 - (code >> 4) & 15]
            third = code & 15
            if third == 0:
                c, new = new, new + 1
            elif third < most:
                c = corners[corner - 1 - third & 15]
            elif third == 15:
                c = last = read.delta(last)
            else:
                c = last = last + (-1 if third == 13 else 1) & _WORD
            if not 0 < third < most:
                corners[corner] = c
                corner = corner + 1 & 15
            edges[edge], edges[edge + 1 & 15] = (c, b), (a, c)
            edge = edge + 2 & 15
        else:
            pair = table[code & 15] if code < 0xFE else read.byte()
            second, third = pair >> 4, pair & 15
            if code >= 0xFE and pair == 0:
                new = 0
            # all three are looked up before any is pushed; numbers that are read come last
            free = code == 0xFF
            a, new = (0, new) if free else (new, new + 1)
            b, new = (corners[corner - second & 15], new) if second else (new, new + 1)
            c, new = (corners[corner - third & 15], new) if third else (new, new + 1)
            if free:
                a = last = read.delta(last)
            if code >= 0xFE and second == 15:
                b = last = read.delta(last)
            if code >= 0xFE and third == 15:
                c = last = read.delta(last)
            for vertex, pushed in ((a, True), (b, second in (0, 15)), (c, third in (0, 15))):
                if pushed:
                    corners[corner] = vertex
                    corner = corner + 1 & 15
            for one, other in ((b, a), (c, b), (a, c)):
                edges[edge] = (one, other)
                edge = edge + 1 & 15
        result += (a, b, c)
    read.close()
    return np.array(result, np.int64).astype(np.uint32)


def sequence(data: bytes, count: int) -> np.ndarray:
    """Mode INDICES: uint32 [count]. Raises ValueError."""
    if count < 0 or len(data) < 1 + count + 4:
        raise ValueError("meshopt: fewer bytes than its count of indices says")
    if data[0] not in (0xD0, 0xD1):
        raise ValueError("meshopt: not a stream of indices")
    read = _Numbers(data, 1, len(data) - 4)
    last = [0, 0]
    result = np.empty(count, np.uint32)
    for i in range(count):
        value = read.number()
        last[value & 1] = result[i] = last[value & 1] + _signed(value >> 1) & _WORD
    read.close()
    return result


class _Numbers:
    """Whole numbers of seven bits a byte, from `at` to `end`."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def byte(self) -> int:
        if self.at >= self.end:
            raise ValueError("meshopt: cut short")
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        result = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            result |= (byte & 127) << shift
            if byte < 128:
                break
        return result & _WORD

    def delta(self, last: int) -> int:
        return last + _signed(self.number()) & _WORD

    def close(self) -> None:
        if self.at != self.end:
            raise ValueError("meshopt: a stream of another length than its count says")


def _signed(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def _octahedral(values: np.ndarray) -> np.ndarray:
    """Unit vectors from two coordinates of an octahedron; the third number is the one that stands for 1."""
    signed = values.view("<i2" if values.shape[1] == 8 else "i1")
    largest = np.float32(np.iinfo(signed.dtype.name).max)
    x, y, one = (signed[:, i].astype(np.float32) for i in range(3))
    z = one - np.abs(x) - np.abs(y)
    fold = np.minimum(z, 0)
    x, y = x + np.where(x >= 0, fold, -fold), y + np.where(y >= 0, fold, -fold)
    vectors = np.stack([x, y, z], axis=1)
    scale = largest / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    result = signed.copy()
    result[:, :3] = np.trunc(vectors * scale + np.where(vectors >= 0, 0.5, -0.5))
    return result


def _quaternion(values: np.ndarray) -> np.ndarray:
    """Unit quaternions without their largest component, whose place is in the two low bits of the fourth number."""
    signed = values.view("<i2")
    place, scale = signed[:, 3] & 3, (signed[:, 3] | 3).astype(np.float64)
    three = signed[:, :3] / (np.sqrt(2.0) * scale[:, None])
    largest = np.sqrt(np.maximum(1 - (three**2).sum(1), 0))
    result = signed.copy()
    rows = np.arange(len(signed))
    for i, part in enumerate((largest, *three.T)):
        result[rows, (place + i) & 3] = np.trunc(part * 32767 + np.where(part >= 0, 0.5, -0.5))
    return result


def _exponential(values: np.ndarray) -> np.ndarray:
    """Floats of 24 bits of mantissa and 8 bits of exponent."""
    words = values.view("<i4")
    return np.ldexp((words << 8 >> 8).astype(np.float64), words >> 24).astype("<f4")


def _color(values: np.ndarray) -> np.ndarray:
    """RGBA from luma, two chromas and an alpha whose highest bit says how many bits are used."""
    kind = "<u2" if values.shape[1] == 8 else "u1"
    raw, signed = values.view(kind).astype(np.int64), values.view(kind.replace("u", "i")).astype(np.int64)
    luma, orange, green, alpha = raw[:, 0], signed[:, 1], signed[:, 2], raw[:, 3]
    span = (1 << np.frexp(alpha.astype(np.float64))[1]) - 1  # all bits up to the highest one of alpha
    low = alpha & span >> 1
    rgba = np.stack([luma + orange - green, luma + green, luma - orange - green, low << 1 | low & 1], axis=1)
    scale = np.iinfo(kind.lstrip("<")).max / np.maximum(span, 1)
    return np.clip(np.floor(rgba * scale[:, None] + 0.5), 0, np.iinfo(kind.lstrip("<")).max).astype(kind)


_FILTERS = {
    "NONE": lambda values: values,
    "OCTAHEDRAL": _octahedral,
    "QUATERNION": _quaternion,
    "EXPONENTIAL": _exponential,
    "COLOR": _color,
}
