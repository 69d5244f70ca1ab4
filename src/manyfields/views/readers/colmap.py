"""COLMAP models: images/ beside sparse/0/ (or sparse/), in COLMAP's binary or text form. Read by pycolmap."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyfields.cameras import from_colmap
from manyfields.errors import ViewError
from manyfields.views.readers.capture import Capture
from manyfields.views.readers.transforms import view_name
from manyfields.views.undistort import Lens

# What the parameters of each of COLMAP's camera models are, in their order.
_PARAMETERS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "SIMPLE_RADIAL_FISHEYE": "f cx cy k1",
    "RADIAL_FISHEYE": "f cx cy k1 k2",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
}


def find_model(folder: Path) -> Path | None:
    """Where `folder` keeps its sparse model, or None."""
    for place in (folder / "sparse" / "0", folder / "sparse"):
        if (place / "cameras.bin").is_file() or (place / "cameras.txt").is_file():
            return place
    return None


def is_colmap_folder(folder: Path) -> bool:
    return find_model(folder) is not None


def read_colmap(folder: Path) -> Capture:
    """Parse the model's cameras and registered images; views are ordered by name.

    Raises ViewError where pycolmap is missing, the model is damaged, or a camera model is not understood.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise ViewError("reading a COLMAP model needs pycolmap: pip install 'manyfields[colmap]'") from error
    model = find_model(folder)
    if model is None:
        raise ViewError("there is no COLMAP model in sparse/0 or sparse")
    try:
        reconstruction = pycolmap.Reconstruction(str(model))
    except (RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ViewError(f"the COLMAP model in {model.relative_to(folder)} is damaged ({reason})") from error
    images = sorted(reconstruction.images.values(), key=lambda image: image.name)
    images = [image for image in images if image.has_pose]
    if not images:
        raise ViewError(f"the COLMAP model in {model.relative_to(folder)} has no registered image")
    cameras = {key: _intrinsics(camera) for key, camera in reconstruction.cameras.items()}
    numbers = np.array([cameras[image.camera_id][0] for image in images], np.float64)
    return Capture(
        path=folder,
        names=[view_name(f"images/{image.name}") for image in images],
        files=[folder / "images" / image.name for image in images],
        poses=np.stack([_pose(image) for image in images]),
        focal=numbers[:, 0:2],
        center=numbers[:, 2:4],
        sizes=numbers[:, 4:6].astype(np.int64),
        lenses=[cameras[image.camera_id][1] for image in images],
    )


def _pose(image: Any) -> np.ndarray:
    rigid = image.cam_from_world() if callable(image.cam_from_world) else image.cam_from_world
    x, y, z, w = rigid.rotation.quat
    quaternion = torch.tensor([w, x, y, z], dtype=torch.float64)
    return from_colmap(quaternion, torch.tensor(rigid.translation, dtype=torch.float64)).numpy()


def _intrinsics(camera: Any) -> tuple[list[float], Lens | None]:
    """[fx, fy, cx, cy, width, height] and the lens."""
    if camera.model.name not in _PARAMETERS:
        raise ViewError(f"the COLMAP camera model {camera.model.name} is not one of {', '.join(_PARAMETERS)}")
    values = dict(zip(_PARAMETERS[camera.model.name].split(), map(float, camera.params), strict=True))
    focal = values.pop("f", None)
    focal_x, focal_y = (values.pop("fx"), values.pop("fy")) if focal is None else (focal, focal)
    center = [values.pop("cx"), values.pop("cy")]
    fisheye = camera.model.name.endswith("FISHEYE")
    lens = Lens(**values, fisheye=fisheye) if fisheye or any(values.values()) else None
    return [focal_x, focal_y, *center, float(camera.width), float(camera.height)], lens
