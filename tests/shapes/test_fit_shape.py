"""From a mesh file to a stream and back to a mesh file."""

import numpy as np
import pytest

from manyfields.errors import ConfigError, MeshError
from manyfields.evaluation.geometry import compare_surfaces
from manyfields.shapes.field import DistanceConfig
from manyfields.shapes.file import read_shape
from manyfields.shapes.fit_shape import extract_surface, fit_shape
from manyfields.shapes.fitter import DistanceSettings
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("skimage")

CONFIG = DistanceConfig(first=3, last=5, features=8, hidden=32, truncation=0.08)
SETTINGS = DistanceSettings(steps=150, points=4096, pool=20_000, codes_rate=0.03, bits=6)
CENTER, SIZE = np.array([10.0, -4.0, 30.0]), 25.0


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A ball far from the origin and not of unit size; its stream and report."""
    folder = tmp_path_factory.mktemp("shape")
    mesh = trimesh.creation.icosphere(4, SIZE)
    mesh.apply_translation(CENTER)
    mesh.export(folder / "ball.glb")
    seen = []
    report = fit_shape(
        folder / "ball.glb",
        folder / "out" / "ball.vq",
        config=CONFIG,
        settings=SETTINGS,
        progress=lambda phase, done, total, **figures: seen.append((phase, done, total)),
    )
    assert seen[:1] == [("fit", 1, 150)] and seen[-1] == ("measure", 3, 3)
    return folder, report


def test_the_report_is_of_the_file(fitted):
    folder, report = fitted
    size = (folder / "out" / "ball.vq").stat().st_size
    assert report.sizes.total == report.levels[-1].bytes == size
    errors = [level.chamfer for level in report.levels]
    assert errors[0] > errors[-1] and errors[-1] < 3.0  # thousandths of the diagonal
    assert report.levels[-1].normal_error < 12
    assert [level.name for level in report.levels] == ["level 3", "level 4", "level 5"]
    assert report.meshes[0].bytes == (folder / "ball.glb").stat().st_size
    plain = [mesh for mesh in report.meshes if mesh.name.startswith("quantised")]
    assert plain[0].bytes < plain[1].bytes and plain[1].chamfer < 0.1


@pytest.mark.parametrize("ending", ["ply", "obj", "stl", "glb"])
def test_the_surface_comes_back_in_units_of_the_mesh(fitted, ending, tmp_path):
    folder, _ = fitted
    surface = extract_surface(folder / "out" / "ball.vq", tmp_path / "a" / f"ball.{ending}")
    read = trimesh.load(tmp_path / "a" / f"ball.{ending}", force="mesh")
    assert len(read.faces) == len(surface.faces)
    radii = np.linalg.norm(np.asarray(read.vertices) - CENTER, axis=-1)
    assert abs(radii.mean() - SIZE) < 0.02 * SIZE and radii.std() < 0.02 * SIZE
    assert (surface.normals * (surface.corners.mean(1) - CENTER)).sum(-1).mean() > 0.9 * SIZE  # outwards


def test_first_bytes_levels_and_resolutions(fitted, tmp_path):
    folder, report = fitted
    file, out = folder / "out" / "ball.vq", tmp_path / "ball.ply"
    short = extract_surface(file, out, first_bytes=report.levels[0].bytes)
    level = extract_surface(file, out, level=1)
    np.testing.assert_array_equal(short.vertices, level.vertices)
    assert len(extract_surface(file, out, resolution=32).faces) < len(extract_surface(file, out).faces)
    with pytest.raises(ConfigError, match="resolution 48: a power of two"):
        extract_surface(file, out, resolution=48)
    with pytest.raises(ConfigError, match=r"ball.vq: a resolution of 16 cells: from 32"):
        extract_surface(file, out, resolution=16)
    with pytest.raises(ConfigError, match=r"cannot write .step; use .ply, .obj, .stl, .glb"):
        extract_surface(file, tmp_path / "ball.step")


def test_the_same_seed_gives_the_same_file(fitted, tmp_path):
    folder, _ = fitted
    settings = DistanceSettings(steps=10, points=512, pool=2000, bits=3)
    files = []
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        out = tmp_path / f"{name}.vq"
        report = fit_shape(folder / "ball.glb", out, config=CONFIG, settings=settings, seed=seed, measure=False)
        assert all(level.chamfer is None for level in report.levels)
        files.append(out.read_bytes())
    assert files[0] == files[1] != files[2]


def test_meshes_with_holes(fitted, tmp_path):
    ball = trimesh.creation.icosphere(3, 1.0)
    trimesh.Trimesh(ball.vertices, ball.faces[4:]).export(tmp_path / "open.ply")
    with pytest.raises(MeshError, match=r"open.ply: the mesh is not watertight.*\(--holes-allowed\)"):
        fit_shape(tmp_path / "open.ply", tmp_path / "open.vq")
    settings = DistanceSettings(steps=5, points=512, pool=2000, bits=3)
    given = {"config": CONFIG, "settings": settings, "measure": False}
    fit_shape(tmp_path / "open.ply", tmp_path / "open.vq", holes_allowed=True, **given)
    assert read_shape(tmp_path / "open.vq").levels == 3
    with pytest.raises(ConfigError, match="a stream holds indices"):
        fit_shape(tmp_path / "open.ply", tmp_path / "a.vq", settings=DistanceSettings(bits=None))


@pytest.mark.slow
def test_a_mesh_of_real_data(shared, tmp_path):
    """The whole default fit but for fewer steps, on a mesh with thin parts."""
    mesh = shared / "data" / "models" / "detail" / "Barrel.glb"
    report = fit_shape(mesh, tmp_path / "barrel.vq", settings=DistanceSettings(steps=400))
    errors = [level.chamfer for level in report.levels]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1.0
    truth = trimesh.load(mesh, force="mesh")
    surface = extract_surface(tmp_path / "barrel.vq", tmp_path / "barrel.stl")
    found = Triangles.welded(np.asarray(truth.vertices, np.float64), np.asarray(truth.faces, np.int64))
    diagonal = np.linalg.norm(np.ptp(found.vertices, axis=0))
    assert compare_surfaces(surface, found).chamfer < 1.1e-3 * diagonal
