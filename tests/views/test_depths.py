import math

import numpy as np
import pytest
import torch

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views, usable_views
from manyfields.views.depths import ray_lengths
from manyfields.views.undistort import Lens, undistort_steps


def steps_of(index: int, width: int = 8, height: int = 8) -> np.ndarray:
    """Depths where `make.picture` is opaque."""
    steps = np.zeros((height, width), np.uint16)
    steps[2:-2, 2:-2] = np.random.default_rng(index).integers(20000, 30000, (height - 4, width - 4))
    return steps


@pytest.fixture
def with_depth(make):
    """Writes an object whose depth images have the numbers of `steps_of`, and gives its folder."""

    def write(folder, count=4, key="depth_path", size=(8, 8), **header):
        make.transforms(folder, count, **{"depth_unit": 1e-4, **header})

        def add(content):
            for index, frame in enumerate(content["frames"]):
                frame[key] = f"depth/{index:03d}.png"
                make.save_picture(folder / "depth" / f"{index:03d}.png", steps_of(index, *size))

        make.edit(folder, add)
        return folder

    return write


def test_our_depth_is_along_rays_in_object_units(with_depth, tmp_path):
    (item,) = read_views(with_depth(tmp_path))
    depths = item.depths([2, 0])
    assert depths.dtype == np.float32 and depths.shape == (2, 8, 8)
    np.testing.assert_allclose(depths, np.stack([steps_of(2), steps_of(0)]) * 1e-4, rtol=1e-6)
    np.testing.assert_array_equal(item.subset([3, 1]).depths(), item.depths([3, 1]))


def test_depth_is_scaled_with_the_world(with_depth, tmp_path, make):
    poses = make.ring(6, radius=15)
    (item,) = read_views(with_depth(tmp_path, poses=poses, aabb=None, depth_unit=0.001))
    scale = item.world_to_object[0, 0]
    assert scale == pytest.approx(1 / (15 * math.tan(0.6911112 / 2)), rel=0.1)
    np.testing.assert_allclose(item.depths([1])[0], steps_of(1) * 0.001 * scale, rtol=1e-6)


@pytest.mark.parametrize("unit", [None, 0.0005])
def test_nerfstudio_depth_is_along_the_axis_and_of_any_size(with_depth, tmp_path, unit):
    header = {"depth_unit": None, "depth_unit_scale_factor": unit, "fl_x": 9, "fl_y": 10, "cx": 3, "cy": 5}
    (item,) = read_views(with_depth(tmp_path, key="depth_file_path", size=(6, 12), **header))
    found = item.depths([1])
    steps = steps_of(1, 6, 12)
    rays = item.cameras[1].rays()
    points = rays.origins + rays.directions * torch.from_numpy(found[0]).view(-1, 1)
    _, along_axis = item.cameras[1].project(points)
    for row, column in [(2, 3), (3, 4), (5, 2), (0, 0)]:
        step = steps[int((row + 0.5) * 1.5), int((column + 0.5) * 0.75)]
        assert float(along_axis[row * 8 + column]) == pytest.approx(step * (unit or 0.001), rel=1e-5)


def test_unprojected_depth_of_a_rendered_mesh_lies_on_it(tmp_path):
    """A cube by the renderer: every point is on one of its faces."""
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("vtkmodules")
    from manyfields.views.render_set import RenderSettings, render_mesh

    trimesh.creation.box((1, 1, 1)).export(tmp_path / "cube.ply")
    render_mesh(tmp_path / "cube.ply", tmp_path / "cube", RenderSettings(views=3, size=32))
    views = read_views(tmp_path / "cube")
    assert check_views(views) == []
    (item,) = views
    depths = torch.from_numpy(item.depths()).view(3, -1)
    rays = item.cameras.rays()
    points = (rays.origins + depths.unsqueeze(-1) * rays.directions)[depths > 0]
    half = 0.9 / math.sqrt(3)
    assert len(points) > 300
    # The renderer samples within an eighth of a pixel of the centre, which is 0.007 across the ray here.
    torch.testing.assert_close(points.abs().amax(-1), torch.full((len(points),), half), atol=0.012, rtol=0)


def test_views_without_depth(make, with_depth, tmp_path):
    make.transforms(tmp_path / "none", 3)
    assert read_views(tmp_path / "none")[0].depths() is None
    folder = with_depth(tmp_path / "some")
    make.edit(folder, lambda content: content["frames"][1].pop("depth_path"))
    (item,) = read_views(folder)
    assert item.depths([1]) is None
    assert not item.depths()[1].any() and item.depths()[2].any()
    assert check_views(read_views(folder)) == []


def test_depth_goes_with_the_views_that_are_kept(make, with_depth, tmp_path):
    folder = with_depth(tmp_path)
    make.edit(folder, lambda content: content["frames"][1].update(w=16, h=24))
    (item,) = read_views(folder)
    assert [file.path.name for file in item.depth_files] == ["000.png", "002.png", "003.png"]


def damage(folder, make):
    make.save_picture(folder / "depth" / "000.png", make.picture(0)[..., 0])
    (folder / "depth" / "001.png").unlink()
    make.save_picture(folder / "depth" / "002.png", steps_of(2, 9, 8))
    whole = (folder / "depth" / "003.png").read_bytes()
    (folder / "depth" / "003.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_bad_depth_images_are_named(make, with_depth, tmp_path):
    (item,) = read_views(damage(with_depth(tmp_path / "cup"), make))
    for index, pattern in enumerate(
        [
            r"is not 16 bit grey \(Pillow calls it L\)",
            "no depth image at .*001",
            "is 9x8, its camera 8x8",
            "003.png is damaged or not an image",
        ]
    ):
        with pytest.raises(ViewError, match=f"^object cup, view rgba/00{index}: .*{pattern}") as caught:
            item.depths([index])
        assert "\n" not in str(caught.value)


def test_check_remarks_on_bad_depth_and_keeps_the_views(make, with_depth, tmp_path):
    views = read_views(damage(with_depth(tmp_path / "cup"), make))
    (problem,) = check_views(views)
    assert (problem.view, problem.kind, problem.fatal) == (None, "depth", False)
    assert problem.message.startswith("4 of 4 depth images cannot be used; the first: the depth image")
    assert len(usable_views(views)[0][0]) == 4


@pytest.mark.parametrize("shift, words", [(0, None), (3, "have a depth where the image is transparent")])
def test_check_compares_depth_and_alpha(make, with_depth, tmp_path, shift, words):
    folder = with_depth(tmp_path)
    make.save_picture(folder / "depth" / "002.png", np.roll(steps_of(2), shift, 1))
    messages = [problem.message for problem in check_views(read_views(folder))]
    if words is None:
        assert messages == []
    else:
        assert messages == [f"1 of 4 depth images contradict the images; the first: view rgba/002: 12 pixels {words}"]
    make.save_picture(folder / "depth" / "002.png", np.zeros((8, 8), np.uint16))
    (problem,) = check_views(read_views(folder))
    assert problem.message.endswith("view rgba/002: 16 pixels have no depth where the image is opaque")


@pytest.mark.parametrize("unit", [None, 0, -1, "small", True, math.inf])
def test_depth_without_a_unit_is_not_read(with_depth, tmp_path, unit):
    views = read_views(with_depth(tmp_path, depth_unit=unit))
    assert views[0].depths() is None
    (problem,) = views.problems
    assert problem.kind == "depth" and not problem.fatal and "depth_unit is" in problem.message


def test_undistortion_takes_nearest_pixels():
    steps = np.arange(48 * 60, dtype=np.uint16).reshape(48, 60)
    focal, center, lens = (50.0, 48.0), (31.0, 25.5), Lens(k1=0.3)
    np.testing.assert_array_equal(undistort_steps(steps, focal, center, Lens()), steps)
    bent = undistort_steps(steps, focal, center, lens)
    for row, column in [(24, 30), (10, 12), (40, 50)]:
        plane = np.array([(column + 0.5 - center[0]) / focal[0], (row + 0.5 - center[1]) / focal[1]])
        x, y = lens.distort(plane) * focal + center
        assert bent[row, column] == steps[int(y), int(x)]
    assert bent[0, 0] == 0  # beyond the photograph


def test_a_unit_of_depth_along_the_axis_is_longer_along_rays():
    lengths = ray_lengths((8.0, 4.0), (1.5, 0.5), 4, 2)
    np.testing.assert_allclose(lengths[0, 1], 1.0)
    np.testing.assert_allclose(lengths[1, 3], math.sqrt(1 + (2 / 8) ** 2 + (1 / 4) ** 2))
