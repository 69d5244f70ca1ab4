"""The light that meshes are seen in, and how a surface answers it.

A picture is to show a product's own colours. Under a sky, a dielectric mirrors 4 % of it wherever one looks: black
comes out grey, dark red pink. Photographers of products take that away with crossed polarisers, which leave matte
colours and metals alone, and so does the studio here: a matte face turned to the lamp has its albedo's colour, metals
mirror the whole room, and smooth dielectrics the lamp alone. Light from a file is taken as it is, with all reflections.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyfields.errors import ConfigError

STUDIO, FLAT = "studio", "flat"
_LAMP = np.array([-0.45, -0.55, 0.70])  # where it hangs: in front, to the left, above
_LAMP_WIDTH = 0.12
_MOST_PIXELS = 1 << 27  # of a panorama; the largest that are sold have 16384 x 8192
_KEPT_HEIGHT = 256


@dataclass(frozen=True, eq=False)
class Light:
    """What surrounds a mesh.

    name: what is recorded of it. panorama: linear RGB float32 [H, 2H, 3] as seen from within, row 0 straight up, the
    middle towards +x, the middle of its right half towards the front, -y. unlit: colours are shown as they are.
    mirrored: dielectrics mirror the panorama, as metals do.
    """

    name: str
    panorama: np.ndarray
    unlit: bool = False
    mirrored: bool = False


def read_light(which: str | Path) -> Light:
    """The light called "studio" or "flat", or that of a Radiance file (.hdr). Raises ConfigError."""
    if str(which) == STUDIO:
        return Light(STUDIO, studio())
    if str(which) == FLAT:
        return Light(FLAT, np.ones((16, 32, 3), dtype=np.float32), unlit=True)
    file = Path(which)
    if file.suffix.lower() != ".hdr":
        raise ConfigError(f"light {str(which)!r} is not known; use {STUDIO}, {FLAT}, or a Radiance file (.hdr)")
    panorama, digest = _read_radiance(file)
    return Light(f"{file.name} {digest}", exposed(panorama), mirrored=True)


def studio(height: int = 64) -> np.ndarray:
    """A panorama float32 [H, 2H, 3]: white walls, brighter above, and one wide soft lamp."""
    toward = directions(height)
    lamp = np.exp((toward @ (_LAMP / np.linalg.norm(_LAMP)) - 1) / _LAMP_WIDTH)
    white = 0.60 + 0.25 * toward[..., 2] + 1.15 * lamp
    return exposed(np.repeat(white[..., None], 3, axis=-1).astype(np.float32))


def directions(height: int) -> np.ndarray:
    """Unit vectors [H, 2H, 3] to the pixels of a panorama, world axes."""
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    azimuth = (1 - (np.arange(2 * height) + 0.5) / height) * np.pi
    level = np.cos(elevation)[:, None]
    up = np.broadcast_to(np.sin(elevation)[:, None], (height, 2 * height))
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1)


def harmonics(toward: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics up to degree 2, [..., 9], of unit vectors [..., 3]."""
    x, y, z = np.moveaxis(toward, -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
            0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )  # fmt: skip


def irradiance(panorama: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """What a white matte face sends back, [..., 3], by its normal [..., 3].

    Nine coefficients, as Ramamoorthi and Hanrahan (2001) found enough and vtk takes, too.
    """
    height = len(panorama)
    toward = directions(height)
    area = np.sqrt(1 - toward[..., 2] ** 2) * (np.pi / height) ** 2
    coefficients = np.einsum("hwk,hwc,hw->kc", harmonics(toward), panorama, area)
    smoothed = coefficients * np.array([1] + 3 * [2 / 3] + 5 * [1 / 4])[:, None]
    return np.maximum(harmonics(normals) @ smoothed, 0)


def exposed(panorama: np.ndarray) -> np.ndarray:
    """The panorama, so bright that a white matte face is just white where most light falls on it."""
    brightest = irradiance(panorama, directions(16)) @ np.array([0.2126, 0.7152, 0.0722])
    scaled = panorama / brightest.max()
    return np.minimum(scaled, 1000).astype(np.float32)  # a sun in half floats would be infinite


def _read_radiance(file: Path) -> tuple[np.ndarray, str]:
    """Linear RGB [H, 2H, 3] and the first digits of the SHA-256 of the file."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"light {file}: cannot be read ({error.strerror or error}); name a Radiance file") from error
    header = data[:4096].partition(b"\n\n")[0]
    size = re.search(rb"\n\n-Y (\d+) \+X (\d+)\n", data[:4096])
    if not header.startswith((b"#?RADIANCE", b"#?RGBE")) or b"32-bit_rle_rgbe" not in header or size is None:
        raise ConfigError(f"light {file}: is not a Radiance file of RGBE pixels, rows from the top; save it again")
    height, width = int(size[1]), int(size[2])
    if width != 2 * height or height < 16 or width * height > _MOST_PIXELS:
        raise ConfigError(f"light {file}: is {width}x{height}; a panorama is twice as wide as high, 32x16 at least")
    pixels = _decoded(data[size.end() :], width, height)
    if pixels is None:
        raise ConfigError(f"light {file}: is cut short or damaged; copy it again")
    if pixels.max() <= 0:
        raise ConfigError(f"light {file}: holds no light; take another")
    return _smaller(pixels), hashlib.sha256(data).hexdigest()[:16]


def _decoded(data: bytes, width: int, height: int) -> np.ndarray | None:
    """RGBE rows, plain or with run lengths (Ward 1994, Graphics Gems II), to linear RGB; None where they end early."""
    if not (data.startswith(b"\x02\x02") and width == int.from_bytes(data[2:4], "big")):
        if len(data) < 4 * width * height:
            return None
        rgbe = np.frombuffer(data, np.uint8, 4 * width * height).reshape(height, width, 4)
    else:
        rgbe = np.empty((height, width, 4), dtype=np.uint8)
        start = data[:4]
        at = 0
        for row in rgbe:
            if data[at : at + 4] != start:
                return None
            channels, at = _run_lengths(data, at + 4, 4 * width)
            if len(channels) != 4 * width:
                return None
            row[:] = np.frombuffer(channels, np.uint8).reshape(4, width).T
    scale = np.where(rgbe[..., 3] > 0, np.ldexp(1.0, rgbe[..., 3].astype(np.int32) - 136), 0)
    return (rgbe[..., :3] + 0.5) * scale[..., None]


def _run_lengths(data: bytes, at: int, wanted: int) -> tuple[bytearray, int]:
    found = bytearray()
    while len(found) < wanted and at + 1 < len(data):
        count = data[at]
        if count > 128:
            found += data[at + 1 : at + 2] * (count - 128)
            at += 2
        else:
            found += data[at + 1 : at + 1 + count]
            at += 1 + max(count, 1)
    return found, at


def _smaller(pixels: np.ndarray) -> np.ndarray:
    """At most 256 rows, by averages: no face is so smooth that it shows more."""
    step = -(-len(pixels) // _KEPT_HEIGHT)
    height = len(pixels) // step
    cut = pixels[: height * step, : 2 * height * step].astype(np.float64)
    return cut.reshape(height, step, 2 * height, step, 3).mean((1, 3))
