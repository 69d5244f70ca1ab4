"""COLMAP's cameras and images, in its binary and its text form; points are not opened, for nothing needs them.

Source: https://colmap.github.io/format.html and colmap/scene/reconstruction_io_{binary,text}.cc. A rig's poses are in
images.{bin,txt} too.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from manyfields._io import read_text
from manyfields.errors import ViewError

# Of each camera model, in the order of their numbers in binary files, what its parameters are. None of more than
# OpenCV's lens models has a meaning here; the number of parameters has to be known all the same.
PARAMETERS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "FOV": "fx fy cx cy omega",
    "SIMPLE_RADIAL_FISHEYE": "f cx cy k1",
    "RADIAL_FISHEYE": "f cx cy k1 k2",
    "THIN_PRISM_FISHEYE": "fx fy cx cy k1 k2 p1 p2 k3 k4 sx1 sy1",
    "RAD_TAN_THIN_PRISM_FISHEYE": "fx fy cx cy k0 k1 k2 k3 k4 k5 p0 p1 s0 s1 s2 s3",
    "SIMPLE_DIVISION": "f cx cy k",
    "DIVISION": "fx fy cx cy k",
    "SIMPLE_FISHEYE": "f cx cy",
    "FISHEYE": "fx fy cx cy",
    "EUCM": "fx fy cx cy alpha beta",
    "EQUIRECTANGULAR": "w h",
}
_LONGEST_NAME = 4096
_POINT = 24  # bytes of a point in an image


@dataclass(frozen=True)
class ColmapCamera:
    """params: in the order of PARAMETERS[model]."""

    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True)
class ColmapImage:
    """quaternion (w, x, y, z) and translation: from the world to the camera, OpenCV axes."""

    name: str
    camera: int
    quaternion: tuple[float, float, float, float]
    translation: tuple[float, float, float]


def has_model(folder: Path) -> bool:
    return any(is_whole(folder, ending) for ending in (".bin", ".txt"))


def is_whole(folder: Path, ending: str) -> bool:
    return all((folder / (name + ending)).is_file() for name in ("cameras", "images"))


def read_model(folder: Path) -> tuple[dict[int, ColmapCamera], list[ColmapImage]]:
    """The cameras by number, and the registered images; the binary files where there are both.

    Raises ViewError where they are damaged.
    """
    if is_whole(folder, ".bin"):
        return _read_binary(folder)
    return dict(_text_cameras(folder / "cameras.txt")), list(_text_images(folder / "images.txt"))


def _read_binary(folder: Path) -> tuple[dict[int, ColmapCamera], list[ColmapImage]]:
    names = list(PARAMETERS)
    cameras: dict[int, ColmapCamera] = {}
    with (folder / "cameras.bin").open("rb") as file:
        for _ in range(_count(file)):
            key, number, width, height = _take(file, "<iiQQ")
            if not 0 <= number < len(names):
                raise ViewError(f"cameras.bin has a camera of the unknown model {number}, or is damaged")
            model = names[number]
            cameras[key] = ColmapCamera(model, width, height, _take(file, f"<{len(PARAMETERS[model].split())}d"))
    images = []
    with (folder / "images.bin").open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(_count(file)):
            _, *pose, camera = _take(file, "<i7di")
            name = _take_name(file)
            (points,) = _take(file, "<Q")
            if file.tell() + points * _POINT > size:
                raise ViewError(f"images.bin ends within image {name}; it was cut short, copy it again")
            file.seek(points * _POINT, os.SEEK_CUR)
            images.append(ColmapImage(name, camera, tuple(pose[:4]), tuple(pose[4:])))
    return cameras, images


def _count(file: BinaryIO) -> int:
    return int(_take(file, "<Q")[0])


def _take(file: BinaryIO, form: str) -> tuple:
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise ViewError(f"{Path(file.name).name} ends too early; it was cut short, copy it again")
    return struct.unpack(form, data)


def _take_name(file: BinaryIO) -> str:
    name = bytearray()
    while (letter := file.read(1)) != b"\0":
        name += letter
        if not letter or len(name) > _LONGEST_NAME:
            raise ViewError(f"{Path(file.name).name} has a name without an end; it is damaged")
    return os.fsdecode(bytes(name))


def _text_cameras(file: Path) -> Iterator[tuple[int, ColmapCamera]]:
    for number, line in _lines(file):
        try:
            key, model, width, height, *params = line.split()
            yield int(key), ColmapCamera(model, int(width), int(height), tuple(map(float, params)))
        except ValueError as error:
            message = f"{file.name}, line {number}: is not 'ID MODEL WIDTH HEIGHT PARAMETERS' ({error})"
            raise ViewError(message) from error


def _text_images(file: Path) -> Iterator[ColmapImage]:
    """An image's line is followed by a line of its points, which may be empty, and which scripts leave out."""
    after_image = False
    for number, line in _lines(file, blank=True):
        if not line or (after_image and _are_points(line)):
            after_image = False
            continue
        try:
            _, *pose, camera, name = line.split(maxsplit=9)
            w, x, y, z, *translation = map(float, pose)
            t0, t1, t2 = translation
            yield ColmapImage(name, int(camera), (w, x, y, z), (t0, t1, t2))
        except ValueError as error:
            message = f"{file.name}, line {number}: is not 'ID QW QX QY QZ TX TY TZ CAMERA NAME' ({error})"
            raise ViewError(message) from error
        after_image = True


def _are_points(line: str) -> bool:
    """Triples of x, y and a number of a point; an image's line has ten words, or a name of several at its end."""
    words = line.split(maxsplit=9)
    if len(words) == 10 and len(words[-1].split(maxsplit=1)) == 1:
        return False
    return line.rsplit(maxsplit=1)[-1].lstrip("-").isdigit() and len(line.split()) % 3 == 0


def _lines(file: Path, blank: bool = False) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments, and without those that are empty unless they are asked for."""
    for number, line in enumerate(read_text(file).split("\n"), 1):
        line = line.strip()
        if (line or blank) and not line.startswith("#"):
            yield number, line
