"""COLMAP models: images/ beside sparse/0/ (or sparse/), in COLMAP's binary or text form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from manyfields.cameras import from_colmap
from manyfields.errors import ViewError
from manyfields.views.images import find_image, is_image_name
from manyfields.views.readers.capture import Capture
from manyfields.views.readers.colmap_files import PARAMETERS, ColmapCamera, ColmapImage, has_model, read_model
from manyfields.views.readers.colmap_masks import masks_of
from manyfields.views.readers.lists import view_name
from manyfields.views.undistort import Lens

_UNDERSTOOD = (
    *("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV"),
    *("SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "OPENCV_FISHEYE", "SIMPLE_FISHEYE", "FISHEYE"),
)
_REDUCED = ("images_2", "images_4", "images_8")  # what scripts write beside images/

Model = tuple[dict[int, ColmapCamera], list[ColmapImage]]


def find_models(folder: Path) -> list[Path]:
    """Where `folder` keeps its sparse models: one for each part that COLMAP could not join to the others."""
    sparse = folder / "sparse"
    inner = [place for place in sparse.iterdir() if place.is_dir()] if sparse.is_dir() else []
    return [place for place in (*sorted(inner, key=_order), sparse) if has_model(place)]


def is_colmap_folder(folder: Path) -> bool:
    return bool(find_models(folder)) or any(
        (place / f"cameras{ending}").is_file()
        for place in (folder / "sparse" / "0", folder / "sparse")
        for ending in (".bin", ".txt")
    )


def read_colmap(folder: Path) -> Capture:
    """Parse cameras and registered images of the model that has most of them; views are ordered by name.

    Raises ViewError where no model can be read.
    """
    (place, (cameras, images)), remarks = _largest(folder)
    images = sorted(images, key=lambda image: image.name)
    pictures = _pictures_folder(folder)
    files = [_file(folder, pictures, image.name) for image in images]
    known = {key: _intrinsics(camera) for key, camera in cameras.items() if _is_understood(camera)}
    rows = [known.get(image.camera, ([1.0] * 6, None)) for image in images]
    numbers = np.array([row[0] for row in rows], np.float64)
    capture = Capture(
        path=folder,
        names=[view_name(f"images/{image.name}") for image in images],
        files=files,
        poses=np.stack([_pose(image) for image in images]),
        focal=numbers[:, 0:2],
        center=numbers[:, 2:4],
        sizes=numbers[:, 4:6].clip(0, 1e9).astype(np.int64),
        lenses=[row[1] for row in rows],
        remarks=[(None, "model", message) for message in remarks],
    )
    if pictures.name != "images":
        capture = capture.saying("size", f"there is no images/: the images are read from {pictures.name}/")
    masks, missed = masks_of(folder, [image.name for image in images])
    if missed:
        capture = capture.saying("mask", missed)
    capture = replace(capture, masks=masks)
    if unplaced := _without_pose(pictures, files):
        total = unplaced + len(files)
        capture = capture.saying("model", f"{unplaced} of {total} photographs have no pose in {_name(folder, place)}")
    faults = {row: _camera_fault(cameras, image) for row, image in enumerate(images) if image.camera not in known}
    if len(faults) == len(images):
        raise ViewError(faults[0][1])
    return capture.without(faults)


def _largest(folder: Path) -> tuple[tuple[Path, Model], list[str]]:
    """The model with most images that can be read, and what is to be said of the others."""
    places = find_models(folder)
    if not places:
        raise ViewError("the COLMAP model in sparse/ lacks cameras or images (.bin or .txt): both are needed")
    found: list[tuple[Path, Model]] = []
    damaged: list[tuple[Path, str]] = []
    for place in places:
        try:
            model = read_model(place)
            if not model[1]:
                raise ViewError("it has no registered image")
            found.append((place, model))
        except (ViewError, OSError, ValueError, MemoryError) as error:
            damaged.append((place, str(error) or type(error).__name__))
    faults = [f"the COLMAP model in {_name(folder, place)} is damaged ({reason})" for place, reason in damaged]
    if not found:
        raise ViewError(faults[0])
    best = max(found, key=lambda each: len(each[1][1]))  # the first of equals
    remarks = [f"{fault}: it is not read" for fault in faults]
    if len(found) > 1:
        others = ", ".join(f"{_name(folder, place)} of {len(model[1])}" for place, model in found if place != best[0])
        taken = f"{_name(folder, best[0])}, of {len(best[1][1])} images"
        remarks.append(f"of {len(found)} COLMAP models the largest is taken, {taken}; not {others}")
    return best, remarks


def _order(place: Path) -> tuple[bool, int, str]:
    number = int(place.name) if place.name.isdecimal() else 0
    return not place.name.isdecimal(), number, place.name


def _name(folder: Path, place: Path) -> str:
    return place.relative_to(folder).as_posix()


def _pictures_folder(folder: Path) -> Path:
    for name in ("images", *_REDUCED):
        if (folder / name).is_dir():
            return folder / name
    return folder / "images"


def _file(folder: Path, pictures: Path, name: str) -> Path:
    """Where an image lies: its name may begin with that of the folder, or be a path of another machine."""
    written = Path(name.replace("\\", "/"))
    places = [pictures / name, pictures / written, folder / written, pictures / written.name]
    for place in places:
        try:
            return find_image(place)
        except ViewError:
            continue
    return places[0]


def _without_pose(pictures: Path, files: list[Path]) -> int:
    """How many photographs of the folder are not among `files`."""
    if not pictures.is_dir():
        return 0
    known = {str(file) for file in files}
    folders = {pictures, *(file.parent for file in files if file.is_relative_to(pictures))}
    there = (place for folder in folders if folder.is_dir() for place in folder.iterdir())
    return sum(is_image_name(place.name) and str(place) not in known for place in there)


def _is_understood(camera: ColmapCamera) -> bool:
    return camera.model in _UNDERSTOOD and len(camera.params) == len(PARAMETERS[camera.model].split())


def _camera_fault(cameras: dict[int, ColmapCamera], image: ColmapImage) -> tuple[str, str]:
    camera = cameras.get(image.camera)
    if camera is None:
        return "intrinsics", f"its camera {image.camera} is not in the model"
    if camera.model not in _UNDERSTOOD:
        return "intrinsics", f"the COLMAP camera model {camera.model} is not one of {', '.join(_UNDERSTOOD)}"
    names = PARAMETERS[camera.model]
    return "intrinsics", f"its camera, a {camera.model}, has {len(camera.params)} parameters, not {names}"


def _pose(image: ColmapImage) -> np.ndarray:
    quaternion = torch.tensor(image.quaternion, dtype=torch.float64)
    if not quaternion.norm() > 1e-9:
        return np.full((4, 4), np.nan)
    return from_colmap(quaternion, torch.tensor(image.translation, dtype=torch.float64)).numpy()


def _intrinsics(camera: ColmapCamera) -> tuple[list[float], Lens | None]:
    """[fx, fy, cx, cy, width, height] and the lens."""
    names = PARAMETERS[camera.model].split()
    values = dict(zip(names, camera.params, strict=True))
    focal = values.pop("f", None)
    focal_x, focal_y = (values.pop("fx"), values.pop("fy")) if focal is None else (focal, focal)
    center = [values.pop("cx"), values.pop("cy")]
    fisheye = camera.model.endswith("FISHEYE")
    lens = Lens(**values, fisheye=fisheye) if fisheye or any(values.values()) else None
    return [focal_x, focal_y, *center, float(camera.width), float(camera.height)], lens
