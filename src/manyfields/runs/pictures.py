"""A still, a contact sheet, or an orbit film of one object: stored (`render_object`), or streamed (`render_stream`)."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manyfields._checks import COUNT, FINITE, check_new_file
from manyfields._io import write_atomic
from manyfields.cameras import orbit
from manyfields.collection import Collection, open_collection
from manyfields.collection.objects import StoredObject
from manyfields.collection.streams import StreamedObject, read_stream
from manyfields.errors import ConfigError
from manyfields.families.registry import family_of

FRAMES_PER_SECOND = 24
FILMS = (".mp4", ".webm", ".gif")
STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def render_object(
    run: Path | str,
    object_id: str,
    out: Path | str,
    *,
    size: int = 256,
    views: int = 1,
    elevation: float = 25.0,
    level: int | None = None,
) -> None:
    """Render an object into a file: one view (.png, .jpg), a sheet of several, or an orbit (.mp4, .webm, .gif).

    Raises ConfigError for another ending or a size that does not divide by the latent stride, CollectionError where the
    object is not there or damaged. A fit on 128x128 views is sharpest at that size; other sizes render the field on
    another grid.

    >>> render_object("runs/vehicles", "truck", "truck.png", size=32)
    >>> Path("truck.png").exists()
    True
    """
    path = _checked(out)
    _write(path, orbit_views(open_collection(run), object_id, size, views, elevation, level))


def render_stream(
    file: Path | str,
    out: Path | str,
    *,
    first_bytes: int | None = None,
    object_id: str | None = None,
    size: int = 256,
    views: int = 1,
    elevation: float = 25.0,
    level: int | None = None,
) -> None:
    """Likewise the object in a file that `stream` wrote, from its first `first_bytes` bytes (all when None).

    Raises ConfigError as `render_object` does, and where `object_id` is given and another object is in the file;
    CollectionError where the file is damaged, or its first bytes hold no whole level.
    """
    path = _checked(out)
    item = read_stream(file, first_bytes)
    if object_id is not None and object_id != item.id:
        raise ConfigError(f"{file}: holds the object {item.id!r}, not {object_id!r}; leave --object away")
    COUNT.check("level", level)
    _write(path, _orbit(item, 1, size, views, elevation, level))


def orbit_views(
    collection: Collection, object_id: str, size: int, views: int, elevation: float = 25.0, level: int | None = None
) -> UInt8[np.ndarray, "V H W 3"]:
    """Views on a circle around an object, through the decoder of the collection. An image is itself."""
    shared, item = collection.shared_part, collection[object_id]
    if (seen := family_of(shared).pictures(shared.family)) is not None:
        return seen(item.code(), orbit(max(1, views), elevation=elevation, width=size, height=size))
    return _orbit(item, shared.stride, size, views, elevation, level)


def _orbit(
    item: StoredObject | StreamedObject, stride: int, size: int, views: int, elevation: float, level: int | None
) -> UInt8[np.ndarray, "V H W 3"]:
    FINITE.check("elevation", elevation)
    if size < stride or views < 1:
        raise ConfigError(f"{views} views of {size}x{size} pixels: at least 1 view of {stride}x{stride}")
    if size % stride:
        raise ConfigError(f"size {size} does not divide by {stride}, the stride of this collection's latent images")
    pictures = item.render(orbit(views, elevation=elevation, width=size, height=size), level=level)
    assert pictures.images is not None
    return (pictures.images[0].permute(0, 2, 3, 1).numpy() * 255.0).round().astype(np.uint8)


def contact_sheet(
    images: UInt8[np.ndarray, "V H W 3"], columns: int | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """Images side by side in a grid of `columns`, about as wide as high when None; empty places are white."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[1:3]
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = image
    return sheet


def _checked(out: Path | str) -> Path:
    path = Path(out)
    if path.suffix.lower() not in (*FILMS, *STILLS):
        ending = path.suffix.lower() or "a file without an ending"
        raise ConfigError(f"{path}: cannot write {ending}; use .png, .jpg, .mp4, .webm or .gif")
    check_new_file(path)
    return path


def _write(path: Path, images: UInt8[np.ndarray, "V H W 3"]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in FILMS:
        _write_film(path, images)
    else:
        write_picture(path, contact_sheet(images))


def check_picture(path: Path) -> None:
    """Raises ConfigError where `path` cannot be a picture that is written."""
    if path.suffix.lower() not in STILLS:
        raise ConfigError(f"{path}: cannot write a picture; use {', '.join(STILLS)}")
    check_new_file(path)


def write_picture(path: Path, image: UInt8[np.ndarray, "H W 3"]) -> None:
    """Write a still (.png, .jpg). Raises ConfigError for another ending."""
    import io

    from PIL import Image

    check_picture(path)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, STILLS[path.suffix.lower()], quality=95)
    write_atomic(path, stream.getvalue())


def _write_film(path: Path, images: UInt8[np.ndarray, "V H W 3"]) -> None:
    try:
        import imageio.v3 as imageio
    except ImportError as error:
        raise ConfigError(f"{path}: films need the extra 'video' (pip install 'manyfields[video]')") from error
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    if path.suffix.lower() == ".gif":
        imageio.imwrite(partial, images, duration=1000 / FRAMES_PER_SECOND, loop=0)
    else:
        codec = "libx264" if path.suffix.lower() == ".mp4" else "libvpx-vp9"
        imageio.imwrite(partial, images, fps=FRAMES_PER_SECOND, codec=codec, macro_block_size=2)
    partial.replace(path)
