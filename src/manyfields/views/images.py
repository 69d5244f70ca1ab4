"""Image files to bytes: photographs, and the textures of meshes, by one rule."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from manyfields.errors import ViewError

if TYPE_CHECKING:  # fitting on a bare machine, from views that are tensors already, needs no Pillow
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def has_image_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def find_image(path: Path) -> Path:
    """The file itself, or, where `path` was written without an extension, the file beside it that has one.

    Raises ViewError where there is no such file.
    """
    if path.is_file():
        return path
    if not has_image_suffix(path.name):
        for suffix in SUFFIXES:
            candidate = path.with_name(path.name + suffix)
            if candidate.is_file():
                return candidate
    raise ViewError(f"no image at {path}")


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) from the file's header. Raises ViewError."""
    from PIL import Image

    found = find_image(path)
    try:
        with Image.open(found) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ViewError(f"{found} is not a readable image ({_one_line(error)})") from error


def load_image(path: Path) -> UInt8[np.ndarray, "H W 4"]:
    """Straight-alpha sRGB; alpha is 255 where the file has none, RGB is 0 where alpha is 0. Raises ViewError.

    The pixels are taken as stored (an EXIF orientation is not applied), because that is what the poses are for.
    """
    from PIL import Image

    found = find_image(path)
    try:
        with Image.open(found) as image:
            rgba = np.array(_as_8_bit(image).convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ViewError(f"{found} is damaged or not an image ({_one_line(error)})") from error
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def decode_texture(data: bytes) -> UInt8[np.ndarray, "H W C"]:
    """To RGB, or to RGBA where the file has transparency; RGB stays where alpha is 0. Raises ViewError."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return texture_pixels(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
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
    return " ".join(str(error).split())
