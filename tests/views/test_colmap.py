import builtins

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views


def write_colmap(make, folder, camera="PINHOLE 8 8 9 10 4 4.5", count=5):
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    (sparse / "cameras.txt").write_text(f"1 {camera}\n")
    lines = []
    for index, pose in enumerate(make.ring(count, radius=4)):
        make.save_picture(folder / "images" / f"{index:03d}.png", make.picture(index))
        world_to_camera = np.linalg.inv(pose @ np.diag([1, -1, -1, 1]))
        x, y, z, w = Rotation.from_matrix(world_to_camera[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.12f}" for value in [w, x, y, z, *world_to_camera[:3, 3]])
        lines.append(f"{index + 1} {numbers} 1 {index:03d}.png\n\n")
    (sparse / "images.txt").write_text("".join(reversed(lines)))
    (sparse / "points3D.txt").write_text("")
    return folder


def test_a_text_model(make, tmp_path):
    pytest.importorskip("pycolmap")
    (item,) = read_views(write_colmap(make, tmp_path / "shoe"))
    assert item.id == "shoe" and item.names == [f"images/{i:03d}" for i in range(5)]
    assert item.cameras.focal.tolist() == [[9, 10]] * 5 and item.cameras.center[0].tolist() == [4, 4.5]
    radius = 4 * 0.4  # half of the smaller field of view: 4 of 10 pixels focal length
    np.testing.assert_allclose(item.world_to_object, np.diag([1 / radius] * 3 + [1]), atol=1e-6)
    expected = np.stack(make.ring(5, radius=4 / radius))
    np.testing.assert_allclose(item.cameras.camera_to_world.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(item.images([2])[0], make.picture(2))
    assert check_views(read_views(tmp_path)) == []


@pytest.mark.parametrize(
    ("camera", "lens"),
    [
        ("SIMPLE_PINHOLE 8 8 9 4 4", None),
        ("SIMPLE_RADIAL 8 8 9 4 4 0.1", {"k1": 0.1}),
        ("OPENCV 8 8 9 9 4 4 0.1 0.2 0.3 0.4", {"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}),
        ("OPENCV 8 8 9 9 4 4 0 0 0 0", None),
        ("OPENCV_FISHEYE 8 8 9 9 4 4 0.1 0.2 0.3 0.4", {"k1": 0.1, "k4": 0.4, "fisheye": True}),
    ],
)
def test_lenses(make, tmp_path, camera, lens):
    pytest.importorskip("pycolmap")
    (item,) = read_views(write_colmap(make, tmp_path / "shoe", camera))
    assert item.cameras.focal[0].tolist() == [9, 9]
    found = item.lenses[0]
    assert found is None if lens is None else {key: getattr(found, key) for key in lens} == lens


def test_the_lens_bends_as_colmaps_does():
    pycolmap = pytest.importorskip("pycolmap")
    from manyfields.views.readers.colmap import _PARAMETERS, _intrinsics

    plane = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 2))
    for model, names in _PARAMETERS.items():
        values = [9.0 if n[0] == "f" else 4.0 if n[0] == "c" else 0.03 * (i + 1) for i, n in enumerate(names.split())]
        camera = pycolmap.Camera(model=model, width=8, height=8, params=values)
        (fx, fy, cx, cy, _, _), lens = _intrinsics(camera)
        bent = plane if lens is None else lens.distort(plane)
        expected = np.stack([camera.img_from_cam(np.append(point, 1.0)) for point in plane])
        np.testing.assert_allclose(bent * [fx, fy] + [cx, cy], expected, atol=1e-6, err_msg=model)


def test_damaged_models_and_a_missing_pycolmap(make, tmp_path, monkeypatch):
    pytest.importorskip("pycolmap")
    folder = write_colmap(make, tmp_path / "shoe")
    (folder / "sparse" / "0" / "images.txt").unlink()
    with pytest.raises(ViewError, match="the COLMAP model in sparse/0 is damaged"):
        read_views(folder)
    with pytest.raises(ViewError, match="camera model EQUIRECTANGULAR|is damaged"):
        read_views(write_colmap(make, tmp_path / "hat", "EQUIRECTANGULAR 8 8"))
    real_import = builtins.__import__

    def without_pycolmap(name, *arguments, **keywords):
        if name == "pycolmap":
            raise ImportError(name)
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_pycolmap)
    with pytest.raises(ViewError, match=r"needs pycolmap: pip install 'manyfields\[colmap\]'"):
        read_views(folder)
