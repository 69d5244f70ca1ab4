"""Scene Representation Networks' folders: ShapeNet cars and chairs come in this form.

rgb/000000.png      the views
pose/000000.txt     16 numbers: camera-to-world, OpenCV axes
intrinsics.txt      "f cx cy 0.", the barycentre, the near plane, the scale, and last "height width"
"""

from pathlib import Path

import numpy as np
import torch

from manyfields._io import read_text
from manyfields.cameras import from_opencv
from manyfields.errors import ViewError
from manyfields.views.images import is_image_name
from manyfields.views.readers.capture import Capture


def is_srn_folder(folder: Path) -> bool:
    return (folder / "rgb").is_dir() and (folder / "pose").is_dir()


def read_srn(folder: Path) -> Capture:
    """Parse an SRN object folder. Its images may have another size than `intrinsics.txt` says.

    A view without a pose file is left out with a remark. Raises ViewError where intrinsics or all views are missing.
    """
    focal, center, (height, width) = _read_intrinsics(folder / "intrinsics.txt")
    pictures = sorted(file for file in (folder / "rgb").iterdir() if is_image_name(file.name))
    pose_files = {file.stem: file for file in (folder / "pose").iterdir() if file.suffix.lower() == ".txt"}
    files, poses = [], []
    remarks: list[tuple[str | None, str, str]] = []
    for picture in pictures:
        if picture.stem in pose_files:
            files.append(picture)
            poses.append(_read_pose(pose_files[picture.stem]))
        else:
            remarks.append((f"rgb/{picture.stem}", "pose", f"there is no pose/{picture.stem}.txt"))
    if not files:
        raise ViewError("rgb/ and pose/ have no view in common")
    count = len(files)
    return Capture(
        path=folder,
        names=[f"rgb/{file.stem}" for file in files],
        files=files,
        poses=from_opencv(torch.from_numpy(np.stack(poses))).numpy(),
        focal=np.full((count, 2), focal),
        center=np.tile(np.asarray(center, np.float64), (count, 1)),
        sizes=np.tile(np.array([width, height], np.int64), (count, 1)),
        lenses=[None] * count,
        source_axes="OpenCV",
        usually_resized=True,
        remarks=remarks,
    )


def _read_intrinsics(file: Path) -> tuple[float, tuple[float, float], tuple[int, int]]:
    try:
        lines = [line.split() for line in read_text(file).splitlines() if line.strip()]
        focal, center_x, center_y = (float(word) for word in lines[0][:3])
        height, width = (int(float(word)) for word in lines[-1])
    except (OSError, ArithmeticError, ValueError, IndexError) as error:
        raise ViewError(
            f"{file.name} is missing, or is not 'f cx cy 0.' on the first line and 'height width' on the last ({error})"
        ) from error
    if height <= 0 or width <= 0:
        raise ViewError(f"{file.name}: the image size {width}x{height} is not positive")
    return focal, (center_x, center_y), (height, width)


def _read_pose(file: Path) -> np.ndarray:
    """NaN where the file is not 16 numbers, for the check of the views to report."""
    try:
        return np.array([float(word) for word in read_text(file).split()]).reshape(4, 4)
    except (OSError, ValueError):
        return np.full((4, 4), np.nan)
