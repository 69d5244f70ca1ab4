"""Meshes as distance fields: fitted and stored (`fit_shape`), and the way back to a mesh (`extract_surface`).

mesh ──► cube ──► DistanceFitter ──► FILE.vq ──► surface of each level ──► error against the mesh
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyfields._checks import COUNT, SEED, check_new_file
from manyfields._io import write_atomic
from manyfields.errors import ConfigError, MeshError
from manyfields.evaluation.geometry import compare_surfaces
from manyfields.evaluation.mesh_sizes import draco_mesh, quantised_mesh
from manyfields.families.octree.codebooks.indices import stored_indices
from manyfields.families.octree.stream.sizes import SizeTable, size_table
from manyfields.shapes.field import DistanceConfig
from manyfields.shapes.file import FINEST, read_shape, shape_stream
from manyfields.shapes.fitter import DistanceFitter, DistanceSettings
from manyfields.views.meshes import read_mesh
from manyfields.views.surface_samples import Triangles

SURFACES = (".ply", ".obj", ".stl", ".glb")
MESH_BITS = (11, 14)  # of a position, in the meshes that are compared with
Progress = Callable[..., None]


@dataclass(frozen=True)
class SurfaceFigures:
    """How near one stored surface is to the mesh."""

    name: str
    bytes: int
    chamfer: float | None = None
    """In thousandths of the diagonal of the mesh's bounding box; None where it was not measured."""
    normal_error: float | None = None
    """Mean angle in degrees."""


@dataclass(frozen=True)
class ShapeReport:
    """What `fit_shape` has written, and how good it is."""

    sizes: SizeTable
    levels: tuple[SurfaceFigures, ...]
    """From the file up to the end of each level, coarse first."""
    meshes: tuple[SurfaceFigures, ...]
    """The same for the mesh in other forms."""


def fit_shape(
    mesh: Path | str,
    out: Path | str,
    *,
    config: DistanceConfig | None = None,
    settings: DistanceSettings | None = None,
    seed: int = 0,
    holes_allowed: bool = False,
    measure: bool = True,
    progress: Progress | None = None,
) -> ShapeReport:
    """Fit a truncated signed distance field to a mesh (.glb, .gltf, .obj, .ply) and write it as a stream.

    Every figure of the report is of decoded bytes. `measure`: whether surfaces are extracted and compared.
    `progress(phase, done, total, **figures)` is called after steps. An interrupted fit writes nothing.

    Raises MeshError for a mesh that cannot be read, or has holes that are not `holes_allowed`; ConfigError for settings
    without meaning, RunError where a fit diverges.
    """
    SEED.check("seed", seed)
    check_new_file(Path(out), Path(mesh))
    path, out = Path(mesh), Path(out)
    config, settings = config or DistanceConfig(), settings or DistanceSettings()
    if settings.bits is None:
        raise ConfigError("bits: a stream holds indices; from 1 to 10")
    truth, mesh_to_cube = read_triangles(path)
    try:
        fitter = DistanceFitter(truth, config, settings, seed, holes_allowed)
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    fitter.run(None if progress is None else lambda done, loss: progress("fit", done, settings.steps, loss=loss))
    code = stored_indices(fitter.code)
    data = shape_stream(path.stem, fitter.family, code, mesh_to_cube)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, data)
    return _report(data, path, mesh_to_cube, measure, progress)


def extract_surface(
    file: Path | str,
    out: Path | str,
    *,
    first_bytes: int | None = None,
    level: int | None = None,
    resolution: int | None = None,
) -> Triangles:
    """Write the surface of a stream as a mesh (.ply, .obj, .stl, .glb), in the units of the mesh that was fitted.

    `first_bytes`: of the file's first bytes alone; `level`: by so many of its levels; `resolution`: cells along a side
    of the cube, a power of two (twice the finest voxels when None). Returns its triangles.

    Raises ConfigError for another ending or a level or resolution that cannot be had, CollectionError where the file is
    damaged, naming the level, or holds no surface, MeshError where the field has none.
    """
    COUNT.check("first_bytes", first_bytes)
    COUNT.check("level", level)
    check_new_file(Path(out), Path(file))
    path = Path(out)
    if path.suffix.lower() not in SURFACES:
        ending = path.suffix.lower() or "a file without an ending"
        raise ConfigError(f"{path}: cannot write {ending}; use {', '.join(SURFACES)}")
    halvings = None
    if resolution is not None:
        halvings = resolution.bit_length() - 1
        if resolution != 1 << max(halvings, 0) or not 0 <= halvings <= FINEST:
            raise ConfigError(f"resolution {resolution}: a power of two from 1 to {2**FINEST}")
    shape = read_shape(file, first_bytes)
    try:
        surface = shape.surface(level, halvings)
    except (ConfigError, MeshError) as error:
        raise type(error)(f"{file}: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _mesh_bytes(surface, path.suffix.lower()[1:]))
    return surface


def read_triangles(path: Path) -> tuple[Triangles, np.ndarray]:
    """The triangles of a mesh in the cube, and the matrix (4, 4) that brought them there from the mesh's own units."""
    mesh = read_mesh(path)
    return Triangles.of_mesh(mesh), mesh.model_to_world


def surface_figures(name: str, size: int, found: Triangles, truth: Triangles) -> SurfaceFigures:
    scores = compare_surfaces(found, truth)
    diagonal = float(np.linalg.norm(np.ptp(truth.vertices, axis=0)))
    return SurfaceFigures(name, size, 1000 * scores.chamfer / diagonal, scores.normal_error)


def mesh_figures(truth: Triangles, bits: tuple[int, ...] = MESH_BITS, measure: bool = True) -> list[SurfaceFigures]:
    """The mesh as quantised triangles: by Draco where it is installed, and in the plain form."""
    found = []
    for make in (draco_mesh, quantised_mesh):
        for width in bits:
            stored = make(truth, width)
            if stored is not None:
                name = f"{stored.form} mesh, {width} bits"
                of = surface_figures(name, stored.size, stored.triangles, truth) if measure else None
                found.append(of or SurfaceFigures(name, stored.size))
    return found


def _report(data: bytes, path: Path, mesh_to_cube: np.ndarray, measure: bool, progress: Progress | None) -> ShapeReport:
    truth, sizes, shape = read_triangles(path)[0], size_table(data), read_shape(data)
    levels = []
    for number, level in enumerate(sizes.levels, 1):
        name, size = f"level {level.level}", size_table(data, number).total
        figures = SurfaceFigures(name, size)
        if measure:
            with suppress(MeshError):  # a coarse level of a thin shape may have no surface: it has bytes, no figures
                figures = surface_figures(name, size, shape.surface(number).transformed(mesh_to_cube), truth)
            if progress is not None:
                progress("measure", number, len(sizes.levels))
        levels.append(figures)
    file = SurfaceFigures(f"{path.name}, textures included", path.stat().st_size)
    return ShapeReport(sizes, tuple(levels), (file, *mesh_figures(truth, measure=measure)))


def _mesh_bytes(surface: Triangles, kind: str) -> bytes:
    import trimesh

    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    written: Any = mesh.export(file_type=kind)
    return written.encode() if isinstance(written, str) else written
