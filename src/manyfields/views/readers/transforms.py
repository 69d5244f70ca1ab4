"""transforms.json: the form of NeRF-synthetic and of nerfstudio and instant-ngp, which our own renders have too.

    transforms.json                    all frames; or, where it is absent,
    transforms_train.json              the frames to train on
    transforms_test.json               the frames that are held out (read beside either of the two)

transforms_val.json is not read: its views are neither trained on nor tested. Poses are camera-to-world in OpenGL
axes. Intrinsics come from fl_x, fl_y, cx, cy, w, h (shared, or of a frame), else from camera_angle_x; the size, where
it is not written, from the images. k1, k2, p1, p2 and k3..k6 are OpenCV's lens distortion; with camera_model
OPENCV_FISHEYE (or is_fisheye), k1..k4 are its fisheye model. Depth images come in two forms: ours (depth_path and
depth_unit) and nerfstudio's (depth_file_path). mask_path in a frame names an image that is white on the object.
"""

from pathlib import Path
from typing import Any

import numpy as np

from manyfields._io import read_json
from manyfields.errors import ViewError
from manyfields.views.depths import MILLIMETRE, DepthFile
from manyfields.views.readers.capture import Capture, Remark, joined
from manyfields.views.readers.frame_intrinsics import KEYS, ImageSizes, Intrinsics, intrinsics
from manyfields.views.readers.lists import as_listed, view_name

ALL, TRAIN, TEST = "transforms.json", "transforms_train.json", "transforms_test.json"

_OUR_DEPTH = "depth_path"
_DEPTH_FORMS = {
    _OUR_DEPTH: ("depth_unit", None),
    "depth_file_path": ("depth_unit_scale_factor", MILLIMETRE),
}
"""Key of a frame -> key and default of the unit."""

_NO_CAMERA = Intrinsics(1.0, 1.0, 1.0, 1.0, 1, 1, None)


def is_transforms_folder(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ALL, TRAIN, TEST))


def read_transforms(folder: Path) -> Capture:
    """Parse an object's transforms files; no image is opened but for a size that is not written.

    A frame that is listed for training and for testing is a test view. Raises ViewError that names the file.
    """
    main = next((name for name in (ALL, TRAIN) if (folder / name).is_file()), None)
    if main is None:
        raise ViewError(f"{TEST} is there, but neither {ALL} nor {TRAIN}")
    header = _read(folder / main)
    whole = _parsed(folder, main, header, set())
    if (folder / TEST).is_file():
        tests = _read(folder / TEST)
        whole.test_names = tuple(view_name(frame["file_path"]) for frame in tests["frames"] if _is_usable(frame))
        others = _parsed(folder, TEST, tests, set(whole.names))
        whole = joined(whole, others) if others.names or others.remarks else whole
    whole.object_id, whole.label = _text(header.get("object_id")), _text(header.get("object_class"))
    whole.group = _text(header.get("group"))
    whole.in_unit_sphere = "model_to_world" in header or _within_unit_cube(header.get("aabb"))
    told = header.get("remarks")
    for remark in told if isinstance(told, list) else []:
        whole = whole.saying("mesh", str(remark))
    return as_listed(whole, header)


def _parsed(folder: Path, file: str, content: dict[str, Any], known: set[str]) -> Capture:
    try:
        return _read_frames(folder, content, known)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ViewError(f"{file}: a number is missing or senseless ({error})") from error
    except ViewError as error:
        raise ViewError(f"{file}: {error}") from error


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
    remarks: list[Remark] = []
    own: list[dict[str, Any]] = []
    depths: list[DepthFile | None] = []
    masks: list[Path | None] = []
    units = _depth_units(content, remarks)
    for number, frame in enumerate(content["frames"]):
        if not _is_usable(frame):
            remarks.append((f"frame {number}", "unreadable", "the frame has no file_path"))
            continue
        name = view_name(frame["file_path"])
        if name in known:
            continue
        names.append(name)
        files.append(_path(folder, frame["file_path"]))
        poses.append(_pose(frame.get("transform_matrix")))
        own.append({key: frame[key] for key in KEYS & frame.keys()})
        depths.append(_depth_file(folder, frame, units))
        mask = frame.get("mask_path")
        masks.append(_path(folder, mask) if isinstance(mask, str) and mask else None)
    rows, faults = _cameras(content, own, files)
    numbers = np.array([row[:6] for row in rows], np.float64).reshape(-1, 6)
    whole = Capture(
        path=folder,
        names=names,
        files=files,
        poses=np.array(poses, np.float64).reshape(-1, 4, 4),
        focal=numbers[:, 0:2],
        center=numbers[:, 2:4],
        sizes=numbers[:, 4:6].astype(np.int64),
        lenses=[row.lens for row in rows],
        remarks=remarks,
        depths=depths,
        masks=masks,
    )
    return whole.without(faults)


def _cameras(
    content: dict[str, Any], own: list[dict[str, Any]], files: list[Path]
) -> tuple[list[Intrinsics], dict[int, tuple[str, str]]]:
    """The camera of each frame, and the faults of frames whose own keys make none. Raises what the first one raised
    where all are such."""
    shared = {key: content[key] for key in KEYS & content.keys()}
    sizes = ImageSizes(files)
    rows: list[Intrinsics] = []
    faults: dict[int, tuple[str, str]] = {}
    first: Exception | None = None
    for row, keys in enumerate(own):
        try:
            rows.append(intrinsics({**shared, **keys}, row, sizes))
        except (ViewError, TypeError, ValueError, ArithmeticError) as error:
            first = first or error
            faults[row] = ("intrinsics", f"its camera cannot be read: {error}")
            rows.append(_NO_CAMERA)
    if first is not None and len(faults) == len(own):
        raise first
    return rows, faults


def _path(folder: Path, written: str) -> Path:
    return folder / written.replace("\\", "/")


def _depth_file(folder: Path, frame: dict[str, Any], units: dict[str, float | None]) -> DepthFile | None:
    for key, unit in units.items():
        path = frame.get(key)
        if isinstance(path, str) and unit is not None:
            place = _path(folder, path)
            if key == _OUR_DEPTH:
                return DepthFile(place, unit)
            return DepthFile(place, unit, along="axis", resize=True)
    return None


def _depth_units(content: dict[str, Any], remarks: list[Remark]) -> dict[str, float | None]:
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


def _pose(matrix: Any) -> np.ndarray:
    """A 4x4 (or 3x4) matrix, or its numbers row by row; NaN where it is something else, for the check to report."""
    try:
        pose = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        return np.full((4, 4), np.nan)
    if pose.size in (12, 16) and pose.ndim == 1:
        pose = pose.reshape(-1, 4)
    if pose.shape == (3, 4):
        pose = np.concatenate([pose, [[0.0, 0.0, 0.0, 1.0]]])
    return pose if pose.shape == (4, 4) else np.full((4, 4), np.nan)


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _within_unit_cube(box: Any) -> bool:
    try:
        corners = np.asarray(box, np.float64)
    except (TypeError, ValueError):
        return False
    return corners.shape == (2, 3) and bool((np.abs(corners) <= 1).all())
