"""Surfaces as files: distance fields of octrees with codebooks, in the stream of docs/reference/vq_stream.md.

DistanceFamily, octree, indices ──► shape_stream ──► FILE.vq ──► first N bytes ──► read_shape ──► surface
"""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from manyfields.errors import CollectionError, ConfigError
from manyfields.families.octree.codes import QuantisedOctreeCodes
from manyfields.families.octree.stream.parts import (
    DISTANCES,
    code_of,
    levels_of,
    load_network,
    network_of,
    whole_levels,
)
from manyfields.families.octree.stream.stream import VqObject, decode_vq, encode_vq
from manyfields.families.stream_form import member
from manyfields.shapes.field import DistanceConfig, DistanceFamily
from manyfields.shapes.isosurface import isosurface
from manyfields.views.surface_samples import Triangles

FINEST = 10  # resolution in halvings of the cube: 1024 cells a side


def shape_stream(
    name: str, family: DistanceFamily, code: QuantisedOctreeCodes, mesh_to_cube: Float64[np.ndarray, "4 4"]
) -> bytes:
    """The file of a distance field: its network, then its levels, coarse first.

    `mesh_to_cube` takes points of the mesh, in its own units, to the cube [-1, 1]^3.
    """
    config = {
        "id": name,
        "family": {"family": DISTANCES, **asdict(family.config)},
        "mesh_to_cube": np.asarray(mesh_to_cube, np.float64).flatten().tolist(),
    }
    levels = levels_of(code.trees[0], code.levels[0])
    return encode_vq(VqObject(family.config.first, levels, network_of(family), config), entropy=True)


def read_shape(source: Path | str | bytes, size: int | None = None) -> StreamedShape:
    """The shape in a file, or in the bytes of one; `size`: of its first `size` bytes, as far as levels are whole.

    Raises CollectionError: for a header, a network or a level that is cut short or damaged, naming it; where `size`
    bytes hold not even the first level; and for a stream of something else than a distance field.
    """
    name = "the stream" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        return StreamedShape(decode_vq(data if size is None else whole_levels(data, size)))
    except CollectionError as error:
        raise CollectionError(f"{name}: {error}") from error


class StreamedShape:
    """A distance field of as many levels as were read."""

    def __init__(self, item: VqObject) -> None:
        """Raises CollectionError where the config is not that of a distance field, or levels do not fit it."""
        self.id = member(item.config, "id", str)
        self.family = _family(item)
        if not item.levels:
            raise CollectionError("it ends before its first level")
        load_network(self.family, item.network)
        self.code = code_of(item, self.family.config)
        self.levels = len(item.levels)
        """How many levels were read."""
        self.mesh_to_cube = _matrix(item)

    def surface(self, level: int | None = None, resolution: int | None = None) -> Triangles:
        """The surface by the first `level` levels (all that were read when None), in units of the mesh.

        It is looked for in 2^`resolution` cells a side of the cube, within the voxels of the finest of these levels;
        these are halved once when None. Raises ConfigError for a level or a resolution that there is not, MeshError
        where there is no surface.
        """
        level = self.levels if level is None else level
        if not 1 <= level <= self.levels:
            raise ConfigError(f"level {level}: from 1 to {self.levels} can be had")
        finest = self.family.config.first + level - 1
        resolution = finest + 1 if resolution is None else resolution
        if not finest <= resolution <= max(FINEST, finest):
            raise ConfigError(
                f"a resolution of {2**resolution} cells: from {2**finest}, the voxels of level {finest}, to {2**FINEST}"
            )
        tree = self.code.trees[0]
        field = self.family.field(tree, self.code.features, level)
        vertices, faces = isosurface(field, tree, finest, resolution)
        return Triangles(vertices, faces).transformed(np.linalg.inv(self.mesh_to_cube))


def _family(item: VqObject) -> DistanceFamily:
    stored = dict(member(item.config, "family", dict))
    if (name := stored.pop("family", None)) != DISTANCES:
        raise CollectionError(
            f"it holds a field of the family {name!r}, no surface; `manyfields render` makes pictures"
        )
    if unknown := sorted(set(stored) - {each.name for each in fields(DistanceConfig)}):
        raise CollectionError(
            f"its family has the setting {unknown[0]!r}, which is not known here; use a newer manyfields"
        )
    try:
        config = DistanceConfig(**stored)
        if config.network != len(item.network):  # before memory is asked for
            raise CollectionError(f"its network has {len(item.network)} numbers, its config asks for {config.network}")
        return DistanceFamily(config).eval().requires_grad_(False)
    except (ConfigError, TypeError, RuntimeError) as error:
        raise CollectionError(f"its config is not one of a distance field ({error})") from error


def _matrix(item: VqObject) -> Float64[np.ndarray, "4 4"]:
    values = member(item.config, "mesh_to_cube", list)
    if len(values) == 16 and all(isinstance(value, int | float) and abs(value) < 1e30 for value in values):
        matrix = np.array(values, np.float64).reshape(4, 4)
        if (matrix[3] == [0, 0, 0, 1]).all() and abs(np.linalg.det(matrix)) > 1e-60:
            return matrix
    raise CollectionError("its 'mesh_to_cube' is not an affine map that can be turned back")
