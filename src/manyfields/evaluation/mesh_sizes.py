"""What a mesh takes as quantised triangles: the other way to store a surface in few bytes.

Both forms give back the mesh as it is read from these bytes, so that its error can be measured.
"""

import lzma
from dataclasses import dataclass

import numpy as np

from manyfields.views.surface_samples import Triangles

DRACO_EFFORT = 10  # of 0 to 10: the smallest files


@dataclass(frozen=True, eq=False)
class StoredMesh:
    """Triangles as they come back from `size` bytes."""

    form: str
    size: int
    triangles: Triangles


def quantised_mesh(triangles: Triangles, bits: int) -> StoredMesh:
    """Positions of `bits` in a cube around the mesh; vertices in order of space, differences of both through LZMA.

    A plain form that needs no package; Draco predicts better.
    """
    low = triangles.vertices.min(0)
    step = float(np.ptp(triangles.vertices, axis=0).max()) / (2**bits - 1)
    whole = np.round((triangles.vertices - low) / step).astype(np.int64)
    order = np.lexsort(whole.T[::-1])
    renumbered = np.empty(len(order), np.int64)
    renumbered[order] = np.arange(len(order))
    faces = renumbered[triangles.faces]
    turn = faces.argmin(1)[:, None]  # the smallest corner first: which corner is the first says nothing
    faces = np.take_along_axis(faces, (turn + np.arange(3)) % 3, 1)
    faces = faces[np.lexsort(faces.T[::-1])]
    columns = [np.diff(column, prepend=0) for column in whole[order].T]
    columns += [np.diff(faces[:, 0], prepend=0), faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]]
    # Low bytes apart from high ones, signs folded in: what an entropy coder likes.
    folded = [np.where(column < 0, -2 * column - 1, 2 * column).astype("<u4") for column in columns]
    body = b"".join(column.view(np.uint8).reshape(-1, 4).T.tobytes() for column in folded)
    data = lzma.compress(body, format=lzma.FORMAT_ALONE, preset=9 | lzma.PRESET_EXTREME)
    return StoredMesh("quantised", len(data) + 16, Triangles.welded(low + step * whole[order], faces))


def draco_mesh(triangles: Triangles, bits: int) -> StoredMesh | None:
    """Draco (Galligan et al. 2018) with positions of `bits`; None where DracoPy is not installed (extra 'draco')."""
    try:
        import DracoPy
    except ImportError:
        return None
    vertices, faces = triangles.vertices.astype(np.float32), triangles.faces.astype(np.uint32)
    data = DracoPy.encode(vertices, faces, quantization_bits=bits, compression_level=DRACO_EFFORT)
    back = DracoPy.decode(data)
    read = Triangles.welded(np.asarray(back.points, np.float64), np.asarray(back.faces, np.int64))
    return StoredMesh("draco", len(data), read)
