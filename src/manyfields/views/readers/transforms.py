"""transforms.json: the form of NeRF-synthetic and of nerfstudio and instant-ngp, which our own renders have too.

    transforms.json                    all frames; or, where it is absent,
    transforms_train.json              the frames to train on
    transforms_test.json               the frames that are held out (read beside either of the two)

transforms_val.json is not read: its views are neither trained on nor tested. Poses are camera-to-world in OpenGL
axes. Intrinsics come from fl_x, fl_y, cx, cy, w, h (shared, or of a frame), else from camera_angle_x; the size, where
it is not written, from the first image. k1, k2, p1, p2 and k3..k6 are OpenCV's lens distortion; with camera_model
OPENCV_FISHEYE (or is_fisheye), k1..k4 are its fisheye model. Depth images come in two forms: ours (depth_path and
depth_unit) and nerfstudio's (depth_file_path).
"""

import posixpath
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from manyfields._io import read_json
from manyfields.cameras import focal_from_angle
from manyfields.errors import ViewError
from manyfields.views.depths import MILLIMETRE, DepthFile
from manyfields.views.images import has_image_suffix, image_size
from manyfields.views.readers.capture import Capture
from manyfields.views.undistort import Lens

ALL, TRAIN, TEST = "transforms.json", "transforms_train.json", "transforms_test.json"

_LENS_KEYS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_INTRINSIC_KEYS = {
    *("fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "camera_model", "is_fisheye"),
    *_LENS_KEYS,
}
_PERSPECTIVE_MODELS = {"PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV", "PERSPECTIVE"}
_FISHEYE_MODELS = {"OPENCV_FISHEYE", "FISHEYE"}
_OUR_DEPTH = "depth_path"
_DEPTH_FORMS = {
    _OUR_DEPTH: ("depth_unit", None),
    "depth_file_path": ("depth_unit_scale_factor", MILLIMETRE),
}
"""Key of a frame -> key and default of the unit."""

Intrinsics = tuple[float, float, float, float, int, int, Lens | None]
"""fx, fy, cx, cy, width, height, lens."""


def is_transforms_folder(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ALL, TRAIN, TEST))


def view_name(file_path: str) -> str:
    """`file_path` as written, without './' and without an image's extension: 'train/r_0', 'rgba/000'."""
    name = posixpath.normpath(file_path.replace("\\", "/"))
    return name[: name.rindex(".")] if has_image_suffix(name) else name


def read_transforms(folder: Path) -> Capture:
    """Parse an object's transforms files; no image is opened but for a size that is not written.

    A frame that is listed for training and for testing is a test view. Raises ViewError that names the file.
    """
    main = next((name for name in (ALL, TRAIN) if (folder / name).is_file()), None)
    if main is None:
        raise ViewError(f"{TEST} is there, but neither {ALL} nor {TRAIN}")
    listed = [(main, _read(folder / main))]
    test_names: tuple[str, ...] | None = None
    if (folder / TEST).is_file():
        listed.append((TEST, _read(folder / TEST)))
        test_names = tuple(view_name(frame["file_path"]) for frame in listed[1][1]["frames"] if _is_usable(frame))
    elif isinstance(listed[0][1].get("test_filenames"), list):
        test_names = tuple(view_name(name) for name in listed[0][1]["test_filenames"] if isinstance(name, str))
    parts: list[Capture] = []
    for file, content in listed:
        others = set(parts[0].names) if parts else set()
        try:
            parts.append(_read_frames(folder, content, others))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ViewError(f"{file}: a number is missing or senseless ({error})") from error
        except ViewError as error:
            raise ViewError(f"{file}: {error}") from error
    whole = parts[0] if len(parts) == 1 or not parts[1].names else _joined(parts[0], parts[1])
    header = listed[0][1]
    whole.object_id, whole.label = _text(header.get("object_id")), _text(header.get("object_class"))
    whole.group, whole.test_names = _text(header.get("group")), test_names
    whole.in_unit_sphere = "model_to_world" in header or _within_unit_cube(header.get("aabb"))
    return whole


def _read(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ViewError(f"{file.name} is not readable JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise ViewError(f"{file.name} has no list of frames")
    return content


def _is_usable(frame: Any) -> bool:
    return isinstance(frame, dict) and isinstance(frame.get("file_path"), str)


def _read_frames(folder: Path, content: dict[str, Any], known: set[str]) -> Capture:
    """The frames of one file, less those whose names are `known` from another."""
    names, files, poses = [], [], []
    remarks: list[tuple[str | None, str, str]] = []
    own: list[dict[str, Any]] = []
    depths: list[DepthFile | None] = []
    units = _depth_units(content, remarks)
    for number, frame in enumerate(content["frames"]):
        if not _is_usable(frame):
            remarks.append((f"frame {number}", "unreadable", "the frame has no file_path"))
            continue
        name = view_name(frame["file_path"])
        if name in known:
            continue
        names.append(name)
        files.append(folder / frame["file_path"].replace("\\", "/"))
        poses.append(_pose(frame.get("transform_matrix")))
        own.append({key: frame[key] for key in _INTRINSIC_KEYS & frame.keys()})
        depths.append(_depth_file(folder, frame, units))

    @cache
    def first_size() -> tuple[int, int]:
        return _first_size(files)

    shared = {key: content[key] for key in _INTRINSIC_KEYS & content.keys()}
    common = _intrinsics(shared, first_size) if not all(own) else None
    rows: list[Intrinsics] = []
    for keys in own:
        rows.append(_intrinsics({**shared, **keys}, first_size) if keys or common is None else common)
    numbers = np.array([row[:6] for row in rows], np.float64).reshape(-1, 6)
    return Capture(
        path=folder,
        names=names,
        files=files,
        poses=np.array(poses, np.float64).reshape(-1, 4, 4),
        focal=numbers[:, 0:2],
        center=numbers[:, 2:4],
        sizes=numbers[:, 4:6].astype(np.int64),
        lenses=[row[6] for row in rows],
        remarks=remarks,
        depths=depths,
    )


def _depth_file(folder: Path, frame: dict[str, Any], units: dict[str, float | None]) -> DepthFile | None:
    for key, unit in units.items():
        path = frame.get(key)
        if isinstance(path, str) and unit is not None:
            place = folder / path.replace("\\", "/")
            if key == _OUR_DEPTH:
                return DepthFile(place, unit)
            return DepthFile(place, unit, along="axis", resize=True)
    return None


def _depth_units(content: dict[str, Any], remarks: list[tuple[str | None, str, str]]) -> dict[str, float | None]:
    """The unit of each form of depth image; None, and a remark where frames need it, where it is no length."""
    units: dict[str, float | None] = {}
    for key, (name, default) in _DEPTH_FORMS.items():
        value: Any = content.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        units[key] = float(value) if is_number and 0 < value < float("inf") else None
        if units[key] is None and any(_is_usable(frame) and key in frame for frame in content["frames"]):
            message = f"{key} is not read: {name} is {value!r}, where the length of a step of depth belongs"
            remarks.append((None, "depth", message))
    return units


def _joined(first: Capture, second: Capture) -> Capture:
    return Capture(
        path=first.path,
        names=first.names + second.names,
        files=first.files + second.files,
        poses=np.concatenate([first.poses, second.poses]),
        focal=np.concatenate([first.focal, second.focal]),
        center=np.concatenate([first.center, second.center]),
        sizes=np.concatenate([first.sizes, second.sizes]),
        lenses=first.lenses + second.lenses,
        remarks=first.remarks + second.remarks,
        depths=first.depths + second.depths,
    )


def _pose(matrix: Any) -> np.ndarray:
    """A 4x4 (or 3x4) matrix; NaN where it is something else, for the check of the views to report."""
    try:
        pose = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        return np.full((4, 4), np.nan)
    if pose.shape == (3, 4):
        pose = np.concatenate([pose, [[0.0, 0.0, 0.0, 1.0]]])
    return pose if pose.shape == (4, 4) else np.full((4, 4), np.nan)


def _first_size(files: list[Path]) -> tuple[int, int]:
    reason = "it has no frames"
    for file in files:
        try:
            return image_size(file)
        except ViewError as error:
            reason = str(error)
    raise ViewError(f"w and h are not given, and no image can be opened to find them: {reason}")


def _intrinsics(values: dict[str, Any], first_size: Any) -> Intrinsics:
    if values.get("w") is not None and values.get("h") is not None:
        width, height = round(float(values["w"])), round(float(values["h"]))
    else:
        width, height = first_size()
    if values.get("fl_x") is not None:
        focal_x = float(values["fl_x"])
    elif values.get("camera_angle_x") is not None:
        focal_x = focal_from_angle(float(values["camera_angle_x"]), width)
    else:
        raise ViewError("neither fl_x nor camera_angle_x is given")
    if values.get("fl_y") is not None:
        focal_y = float(values["fl_y"])
    elif values.get("camera_angle_y") is not None:
        focal_y = focal_from_angle(float(values["camera_angle_y"]), height)
    else:
        focal_y = focal_x
    center_x = float(values["cx"]) if values.get("cx") is not None else width / 2
    center_y = float(values["cy"]) if values.get("cy") is not None else height / 2
    return focal_x, focal_y, center_x, center_y, width, height, _lens(values)


def _lens(values: dict[str, Any]) -> Lens | None:
    model = str(values.get("camera_model") or "OPENCV").upper()
    fisheye = model in _FISHEYE_MODELS or bool(values.get("is_fisheye"))
    if not fisheye and model not in _PERSPECTIVE_MODELS:
        raise ViewError(
            f"camera_model {model} is not one of {', '.join(sorted(_PERSPECTIVE_MODELS | _FISHEYE_MODELS))}"
        )
    terms = {key: float(values.get(key) or 0.0) for key in _LENS_KEYS}
    if not np.isfinite(list(terms.values())).all():
        raise ViewError("the lens distortion is not finite")
    return Lens(**terms, fisheye=fisheye) if fisheye or any(terms.values()) else None


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _within_unit_cube(box: Any) -> bool:
    try:
        corners = np.asarray(box, np.float64)
    except (TypeError, ValueError):
        return False
    return corners.shape == (2, 3) and bool((np.abs(corners) <= 1).all())
