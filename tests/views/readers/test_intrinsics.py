import pytest

from manyfields.errors import ViewError
from manyfields.views import read_views


@pytest.mark.parametrize(
    ("given", "focal", "center"),
    [
        ({"camera_angle_x": 0.7, "cx": 0.5, "cy": 0.45}, None, [4, 3.6]),
        ({"fl_x": 1.25, "cx": 0.5, "cy": 0.5}, [10, 10], [4, 4]),
        ({"fl_x": 10.0, "cx": 0.5, "cy": 0.5}, [10, 10], [4, 4]),
    ],
)
def test_shares_of_the_image_become_pixels(make, tmp_path, given, focal, center):
    make.transforms(tmp_path, **{"camera_angle_x": None, "w": None, "h": None, **given})
    if focal == [10, 10] and given["fl_x"] < 2:  # a share is too short for pixels of larger images alone
        for file in (tmp_path / "rgba").iterdir():
            make.save_picture(file, make.picture(int(file.stem), 80, 80))
        focal, center = [100, 100], [40, 40]
    views = read_views(tmp_path)
    assert views[0].cameras.center[0].tolist() == pytest.approx(center)
    if focal:
        assert views[0].cameras.focal[0].tolist() == pytest.approx(focal)
    assert views.problems and all(
        problem.remark and "share of the image" in problem.message for problem in views.problems
    )


def test_shares_of_each_side(make, tmp_path):
    make.transforms(tmp_path, camera_angle_x=None, fl_x=1.0, fl_y=2.0, cx=0.5, cy=0.5, w=80, h=40)
    for file in (tmp_path / "rgba").iterdir():
        make.save_picture(file, make.picture(int(file.stem), 80, 40))
    assert read_views(tmp_path)[0].cameras.focal[0].tolist() == [80, 80]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cx": 8, "cy": 8}, r"principal point \(8, 8\) lies in a corner of its images of 8x8"),
        ({"cx": 960, "cy": 540}, "for another size, or as shares"),
        ({"cx": -3, "cy": 4}, "principal point"),
        ({"fl_x": 0.5}, "is no number of pixels for images of 8, 8 pixels: are they millimetres"),
        ({"camera_angle_x": 40.0}, "where an angle in radians belongs: is it in degrees"),
        ({"fl_x": float("nan")}, "intrinsics are not finite"),
        ({"fl_x": -9}, "a focal length is not positive"),
        ({"w": 1e9}, "no image has so many pixels"),
        ({"fl_x": [9]}, "a number is missing or senseless"),
    ],
)
def test_intrinsics_that_mean_nothing(make, tmp_path, given, words):
    make.transforms(tmp_path / "good")
    make.transforms(
        tmp_path / "odd", **{"fl_x": 9.0, "fl_y": None, **given} if "camera_angle_x" not in given else given
    )
    if "fl_x" in given and given["fl_x"] == 0.5:
        make.edit(tmp_path / "odd", lambda content: content.update(fl_y=0.1))
    views = read_views(tmp_path)
    (problem,) = views.problems
    assert views.ids == ["good"] and problem.fatal and problem.object == "odd"
    with pytest.raises(ViewError, match=words):
        read_views(tmp_path / "odd")


def test_a_centre_may_lie_anywhere_in_windows_cut_from_photographs(make, tmp_path):
    make.transforms(tmp_path)

    def cut(content):
        for number, frame in enumerate(content["frames"]):
            frame.update(cx=-3.0 * number, cy=12.0 + number)

    make.edit(tmp_path, cut)
    assert read_views(tmp_path).problems == []


def test_a_frame_whose_camera_cannot_be_read_is_left_out_alone(make, tmp_path):
    make.transforms(tmp_path)
    make.edit(tmp_path, lambda content: content["frames"][1].update(fl_x="wide"))
    make.edit(tmp_path, lambda content: content["frames"][2].update(camera_model="EQUIRECTANGULAR"))
    make.edit(tmp_path, lambda content: content["frames"][3].update(fl_x=float("inf")))
    views = read_views(tmp_path)
    assert [(problem.view, problem.kind) for problem in views.problems] == [
        ("rgba/001", "intrinsics"),
        ("rgba/002", "intrinsics"),
        ("rgba/003", "intrinsics"),
    ]
    assert len(views[0]) == 3
