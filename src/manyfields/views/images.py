"""Image files to bytes: photographs, and the textures of meshes, by one rule."""

import io
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from manyfields.errors import ViewError

if TYPE_CHECKING:  # fitting on a bare machine, from views that are tensors already, needs no Pillow
    from types import ModuleType

    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MOST_PIXELS = 100_000_000
"""Of an image that is opened: a file of a few kilobytes can say that it has any number."""

_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF's orientations that exchange width and height


def has_image_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def is_image_name(name: str) -> bool:
    """Whether a file of a folder is meant to be an image: not one of the hidden ones that macOS adds (`._0001.png`)."""
    return has_image_suffix(name) and not name.startswith(".")


def find_image(path: Path) -> Path:
    """The file itself, or the one beside it whose ending is written otherwise: in capitals, or `path` has none.

    Raises ViewError where there is no such file.
    """
    try:
        for candidate in _candidates(path):
            if candidate.is_file():
                return candidate
    except (OSError, ValueError) as error:  # a name that is too long, or no name; a folder that may not be read
        raise ViewError(f"no image can be opened at {path} ({error})") from error
    raise ViewError(f"no image at {path}")


def _candidates(path: Path) -> list[Path]:
    if has_image_suffix(path.name):
        stem, endings = path.name[: -len(path.suffix)], [path.suffix.lower()]
    else:
        stem, endings = path.name, list(SUFFIXES)
    written = [ending for each in endings for ending in (each, each.upper(), "." + each[1:].capitalize())]
    return [path, *(path.with_name(stem + ending) for ending in written if path.name)]


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) from the file's header. Raises ViewError."""
    found = find_image(path)
    try:
        with _opened(found) as image:
            return image.size
    except ViewError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them
        raise ViewError(f"{found} is not a readable image ({_one_line(error)})") from error


def lies_on_its_side(path: Path) -> bool:
    """Whether the file's EXIF orientation exchanges width and height. False where it cannot be read."""
    try:
        with _opened(find_image(path)) as image:
            return image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    except Exception:  # as above; whether the image can be read is found where it is read
        return False


def load_image(path: Path, upright: bool = False) -> UInt8[np.ndarray, "H W 4"]:
    """Straight-alpha sRGB; alpha is 255 where the file has none, RGB is 0 where alpha is 0. Raises ViewError.

    The pixels are taken as stored, because that is what most poses are for; with `upright` as their EXIF orientation
    turns them.
    """
    found = find_image(path)
    try:
        with _opened(found) as image:
            rgba = np.array(_as_8_bit(_turned(image) if upright else image).convert("RGBA"))
    except ViewError:
        raise
    except Exception as error:  # as above, MemoryError included
        raise ViewError(f"{found} is damaged or not an image ({_one_line(error)})") from error
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def load_grey(path: Path, upright: bool = False) -> UInt8[np.ndarray, "H W"]:
    """A picture of one value a pixel: its transparency where it has one, else its brightest channel. Raises ViewError.

    Of deep pictures the highest value becomes 255, whatever it is.
    """
    found = find_image(path)
    try:
        with _opened(found) as image:
            image = _turned(image) if upright else image
            if image.mode[0] in "IF":
                values = np.nan_to_num(np.asarray(image).astype(np.float64)).clip(0)
                return np.rint(values * (255 / max(values.max(), 1e-9))).astype(np.uint8)
            rgba = np.array(image.convert("RGBA"))
    except ViewError:
        raise
    except Exception as error:  # as above
        raise ViewError(f"{found} is damaged or not an image ({_one_line(error)})") from error
    return rgba[..., 3] if rgba[..., 3].min() < 255 else rgba[..., :3].max(-1)


def resized(rgba: UInt8[np.ndarray, "H W 4"], size: tuple[int, int]) -> UInt8[np.ndarray, "h w 4"]:
    """Straight-alpha RGBA at another size (width, height): colours are weighted by alpha, lest hidden ones bleed in."""
    from PIL import Image

    picture = Image.fromarray(rgba, "RGBA").convert("RGBa")
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).convert("RGBA"))


def _opened(source: Path | io.BytesIO) -> "Image.Image":
    image = _pillow().open(source)
    if image.width * image.height > MOST_PIXELS:
        size, name = f"{image.width}x{image.height}", source if isinstance(source, Path) else "the image"
        image.close()
        raise ViewError(f"{name} says that it is {size}, more than the {MOST_PIXELS:,} pixels that are read: reduce it")
    return image


@cache
def _pillow() -> "ModuleType":
    from PIL import Image

    # Of many pixels Pillow warns, at about the number that is refused here.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    return Image


def _turned(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def decode_texture(data: bytes) -> UInt8[np.ndarray, "H W C"]:
    """To RGB, or to RGBA where the file has transparency; RGB stays where alpha is 0. Raises ViewError."""
    try:
        with _opened(io.BytesIO(data)) as image:
            return texture_pixels(image)
    except ViewError:
        raise
    except Exception as error:  # as above
        raise ViewError(f"damaged or not an image ({_one_line(error)})") from error


def texture_pixels(image: "Image.Image") -> UInt8[np.ndarray, "H W C"]:
    """An opened image of any mode as RGB, or as RGBA where it has transparency."""
    image = _as_8_bit(image)
    return np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _as_8_bit(image: "Image.Image") -> "Image.Image":
    """16-bit grey and floats, which Pillow would clip to 8 bits instead of scaling them."""
    from PIL import Image

    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        return Image.fromarray(np.rint(np.nan_to_num(np.asarray(image)).clip(0, 1) * 255).astype(np.uint8))
    return image


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def composite(
    rgba: UInt8[np.ndarray, "*batch 4"], background: tuple[int, int, int] = (255, 255, 255)
) -> UInt8[np.ndarray, "*batch 3"]:
    """RGB of `rgba` (sRGB, straight alpha) in front of `background`, rounded to the nearest of 0..255.

    >>> composite(np.array([[0, 0, 0, 255], [0, 0, 0, 128], [0, 0, 0, 0]], np.uint8))[:, 0]
    array([  0, 127, 255], dtype=uint8)
    """
    alpha = rgba[..., 3:].astype(np.uint16)
    # At most 255 * 255 + 127: fits uint16.
    mixed = rgba[..., :3] * alpha + np.asarray(background, np.uint16) * (255 - alpha)
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
