import numpy as np
import pytest

from manyfields.evaluation import mesh_sizes
from manyfields.evaluation.geometry import compare_surfaces
from manyfields.views.surface_samples import Triangles

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("scipy")
FORMS = [mesh_sizes.quantised_mesh, mesh_sizes.draco_mesh]


def ball() -> Triangles:
    mesh = trimesh.creation.icosphere(4, 0.7)
    return Triangles.welded(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))


@pytest.mark.parametrize("form", FORMS)
def test_fewer_bits_take_fewer_bytes_and_lose_more(form):
    if form is mesh_sizes.draco_mesh:
        pytest.importorskip("DracoPy", reason="the extra draco is not installed")
    truth = ball()
    fine, coarse = form(truth, 14), form(truth, 8)
    assert coarse.size < fine.size < len(truth.faces) * 12
    errors = [compare_surfaces(each.triangles, truth, 10_000).chamfer for each in (fine, coarse)]
    assert errors[0] < 1e-4 < errors[1] < 1.4 / 2**8
    assert fine.triangles.open_edges == 0 and len(fine.triangles.faces) == len(truth.faces)
    assert (np.einsum("fi,fi->f", fine.triangles.normals, fine.triangles.corners.mean(1)) > 0.5).all()  # outwards


def test_without_draco_there_is_none(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "DracoPy", None)
    assert mesh_sizes.draco_mesh(ball(), 11) is None
