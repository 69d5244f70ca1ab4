"""Meshes as signed distance fields: how near their surfaces are as float16 features and as indices, at how many bytes.

    python -m benchmarks.octree.surfaces watertight  # how many meshes of ../shared/data/models are
    python -m benchmarks.octree.surfaces fit         # all shapes, uncompressed, 6 bits, 4 bits; and as meshes

Three watertight meshes of few triangles, as inventories have, and one made here of many, as scans have. Surfaces are
those of decoded bytes. Chamfer distances are in thousandths of the diagonal of the mesh's bounding box, to the nearest
triangle, over 100,000 points of either surface. Rows go to benchmarks/results/shapes.json.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import rows as records
from benchmarks.places import SHARED
from manyfields.commands._progress import to_stderr
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import Record, new_record
from manyfields.families.octree.codebooks.indices import stored_indices
from manyfields.families.octree.stream.sizes import size_table
from manyfields.memory import keep_freed_memory
from manyfields.shapes.field import DistanceConfig
from manyfields.shapes.file import read_shape, shape_stream
from manyfields.shapes.fit_shape import SurfaceFigures, mesh_figures, read_triangles, surface_figures
from manyfields.shapes.fitter import DistanceFitter, DistanceSettings
from manyfields.shapes.isosurface import isosurface
from manyfields.views.meshes import SUFFIXES
from manyfields.views.surface_samples import Triangles

MODELS = SHARED / "data" / "models"
SHAPES = {
    "barrel": MODELS / "detail" / "Barrel.glb",
    "skull": MODELS / "props" / "rpg_Skull2.glb",
    "taxi": MODELS / "vehicles" / "q_realistic-car-pack_Taxi.glb",
    "scan": None,
}
CONFIG = DistanceConfig()
BITS = (None, 6, 4)
MESH_BITS = (8, 11, 14)


def scan() -> Triangles:
    """327,680 triangles: a ball with bumps of several sizes, the stand-in for a scan."""
    import trimesh

    ball = trimesh.creation.icosphere(7, 1.0)
    points = np.asarray(ball.vertices, np.float64)
    random = np.random.default_rng(0)
    radii = np.full(len(points), 0.75)
    for frequency in (3, 6, 12, 24):
        waves = random.normal(0, frequency, (6, 3))
        radii += 0.06 / frequency * np.sin(points @ waves.T + random.uniform(0, 6.3, 6)).sum(1)
    return Triangles.welded(points * radii[:, None], np.asarray(ball.faces, np.int64))


def uncompressed(fitter: DistanceFitter, truth: Triangles) -> Iterator[SurfaceFigures]:
    """Every level from features and network as float16; bytes by the paper's count: no topology, no header."""
    field, tree = fitter.field(), fitter.code.tree
    table = field.table.half().float()
    with torch.no_grad():
        for parameter in fitter.family.parameters():
            parameter.copy_(parameter.half().float())
    for count, level in enumerate(fitter.config.levels, 1):
        size = 2 * fitter.config.network + 2 * fitter.config.features * sum(tree.corner_counts[:count])
        vertices, faces = isosurface(fitter.family.field(tree, table, count), tree, level, level + 1)
        yield surface_figures(f"level_{level}", size, Triangles(vertices, faces), truth)


def indices(fitter: DistanceFitter, truth: Triangles) -> Iterator[SurfaceFigures]:
    """Every level from the bytes of a stream up to its end."""
    code = stored_indices(fitter.code)
    data = shape_stream("shape", fitter.family, code, np.eye(4))
    for count, level in enumerate(fitter.config.levels, 1):
        size = size_table(data, count).total
        yield surface_figures(f"level_{level}", size, read_shape(data, size).surface(), truth)


def rows_of(name: str, steps: int) -> Iterator[Record]:
    truth = scan() if SHAPES[name] is None else read_triangles(SHAPES[name])[0]
    about = f"{len(truth.faces)} triangles, levels {CONFIG.first} to {CONFIG.last}"
    for bits in BITS:
        settings, method = DistanceSettings(steps=steps, bits=bits), "uncompressed" if bits is None else f"vq{bits}"
        fitter = DistanceFitter(truth, CONFIG, settings)
        began = time.process_time()
        fitter.run(lambda done, loss: None if done % 200 else to_stderr(f"{done}/{steps} {loss:.4f}"))
        seconds = time.process_time() - began
        note = f"{about}, {steps} steps of {settings.points} points, {torch.get_num_threads()} threads"
        yield new_record(f"shapes.{name}.{method}.seconds", seconds, "s", f"{note}; of the processor")
        found = list((uncompressed if bits is None else indices)(fitter, truth))
        for figures in found:
            yield from _rows(f"shapes.{name}.{method}.{figures.name}", figures, note)
        if bits is None:
            whole = found[-1]
        else:
            ratio = whole.bytes / found[-1].bytes
            yield new_record(f"shapes.{name}.{method}.ratio", ratio, "x", f"{note}; every byte of the stream counted")
    for figures in mesh_figures(truth, MESH_BITS):
        label = figures.name.replace(" mesh, ", "_").replace(" bits", "")
        yield from _rows(f"shapes.{name}.{label}", figures, about)
    with tempfile.TemporaryDirectory() as folder:
        size = _binary_ply(truth, Path(folder) / "mesh.ply")
    yield new_record(f"shapes.{name}.ply.bytes", size, "bytes", f"{about}; binary PLY of positions and triangles")


def _rows(name: str, figures: SurfaceFigures, note: str) -> Iterator[Record]:
    yield new_record(f"{name}.bytes", figures.bytes, "bytes", note)
    yield new_record(f"{name}.chamfer", figures.chamfer, "1/1000 of the diagonal", note)
    yield new_record(f"{name}.normal_error", figures.normal_error, "degrees", note)


def _binary_ply(truth: Triangles, path: Path) -> int:
    import trimesh

    trimesh.Trimesh(truth.vertices, truth.faces, process=False).export(path)
    return path.stat().st_size


def watertight() -> Iterator[Record]:
    for folder in sorted(path for path in MODELS.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        closed = [path for path in files if read_triangles(path)[0].open_edges == 0]
        if files:
            yield new_record(f"shapes.watertight.{folder.name}", len(closed), "meshes", f"of {len(files)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("watertight", "fit"))
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    parser.add_argument("--steps", type=int, default=DistanceSettings.steps)
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "shapes")
    arguments = records.parse(parser)
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    parts = (
        [watertight()] if arguments.step == "watertight" else [rows_of(n, arguments.steps) for n in arguments.shapes]
    )
    trained = (origin_here(),) if arguments.step == "fit" else ()
    for rows in parts:
        records.keep(arguments, (replace(row, trained=trained) for row in rows))


if __name__ == "__main__":
    main()
