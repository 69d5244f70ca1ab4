"""Polygons of three and more corners cut into triangles, concave ones by their ears.

A fan from the first corner, which is what most readers make, fills the notches of concave faces.
"""

from __future__ import annotations

import numpy as np


def triangulated(points: np.ndarray, corners: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons into triangles.

    points [N, 3]; corners [C] indices of points, those of one polygon after another; counts [P] corners of each.
    Returns places in `corners` [T, 3], and the polygon of each triangle [T], polygons in order. Polygons of fewer than
    three corners have none.
    """
    starts = np.cumsum(counts) - counts
    places, owners = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for count in np.unique(counts[counts > 2]):
        chosen = np.flatnonzero(counts == count)
        at = starts[chosen][:, None] + np.arange(count)
        turned = np.zeros(len(chosen), dtype=np.int64)
        concave = np.zeros(len(chosen), dtype=bool)
        if count > 3:
            loops = points[corners[at]]
            concave = ~_convex(loops) & (np.abs(_normals(loops)).sum(axis=1) > 0)
        if count == 4:  # cut at the inner corner (or the one across), both triangles are inside
            turned[concave] = _inner_corner(points[corners[at[concave]]])
            at, concave = np.take_along_axis(at, (turned[:, None] + np.arange(4)) % 4, axis=1), concave & False
        fans = at[~concave]
        order = np.stack([np.zeros(count - 2, dtype=np.int64), np.arange(1, count - 1), np.arange(2, count)], axis=1)
        places.append(fans[:, order].reshape(-1, 3))
        owners.append(np.repeat(chosen[~concave], count - 2))
        for number in np.flatnonzero(concave):
            cut = np.array(ears(_flat(points[corners[at[number]]])), dtype=np.int64).reshape(-1, 3)
            places.append(at[number][cut])
            owners.append(np.full(len(cut), chosen[number]))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(places)[order], owner[order]


def _normals(loops: np.ndarray) -> np.ndarray:
    """Of loops [P, K, 3], not of unit length (Newell's: right for concave ones, too)."""
    centred = loops - loops[:, :1]
    return np.cross(centred, np.roll(centred, -1, axis=1)).sum(1)


def _turns(loops: np.ndarray) -> np.ndarray:
    """How far each corner of [P, K, 3] turns, times the squares of lengths; negative at inner corners."""
    into, out = loops - np.roll(loops, 1, axis=1), np.roll(loops, -1, axis=1) - loops
    return np.einsum("pki,pi->pk", np.cross(into, out), _normals(loops))


def _convex(loops: np.ndarray) -> np.ndarray:
    """Whether no corner of [P, K, 3] turns inwards; so are loops that are not finite, or have no area.

    A corner that is there twice has no turn, so that loops which have one are not called convex.
    """
    turns = _turns(loops)
    twice = (loops == np.roll(loops, 1, axis=1)).all(axis=2).any(axis=1)
    return ~twice & ~(turns < -1e-9 * np.abs(turns).max(axis=1, keepdims=True)).any(axis=1)


def _inner_corner(loops: np.ndarray) -> np.ndarray:
    return _turns(loops).argmin(axis=1)


def _flat(loop: np.ndarray) -> np.ndarray:
    """A loop [K, 3] in its plane [K, 2], anticlockwise."""
    normal = _normals(loop[None])[0]
    side = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    side = side / np.linalg.norm(side)
    return (loop - loop[0]) @ np.stack([side, np.cross(normal / np.linalg.norm(normal), side)], axis=1)


def ears(loop: np.ndarray) -> list[tuple[int, int, int]]:
    """The triangles of a simple anticlockwise loop [K, 2], by cutting off ears (Meisters 1975).

    Corners that are repeated or lie on a line cost nothing; bridges to holes may be run along twice. What crosses
    itself is cut somehow.
    """
    left = list(range(len(loop)))
    triangles: list[tuple[int, int, int]] = []
    least = 1e-12 * float(np.ptp(loop, axis=0).max()) ** 2
    at, missed = 0, 0
    while len(left) > 2:
        at %= len(left)
        before, here, after = left[at - 1], left[at], left[(at + 1) % len(left)]
        area = _cross(loop[before], loop[here], loop[after])
        if abs(area) <= least:
            del left[at]
            missed = 0
        elif area > 0 and (missed > len(left) or _empty(loop, left, before, here, after)):
            triangles.append((before, here, after))
            del left[at]
            at, missed = at + 1, 0  # a step on, so that the triangles do not all meet in one corner
        elif missed > 2 * len(left):  # clockwise all round: it crosses itself
            triangles += [(left[0], left[i], left[i + 1]) for i in range(1, len(left) - 1)]
            break
        else:
            at, missed = at + 1, missed + 1
    return triangles


def _cross(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _empty(loop: np.ndarray, left: list[int], before: int, here: int, after: int) -> bool:
    """Whether no other corner lies in the triangle, or on its rim."""
    corners = loop[[before, here, after]]
    others = loop[left]
    others = others[~(others[:, None] == corners).all(-1).any(1)]  # a bridge has its corners twice
    inside = np.ones(len(others), dtype=bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge, reach = end - start, others - start
        inside &= edge[0] * reach[:, 1] - edge[1] * reach[:, 0] >= 0
    return not inside.any()
