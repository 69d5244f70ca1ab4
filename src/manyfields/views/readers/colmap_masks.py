"""COLMAP's masks: masks/ beside images/, named after the images: 0001.jpg.png as COLMAP has it, or 0001.png."""

from pathlib import Path

from manyfields.views.images import SUFFIXES

FOLDER = "masks"


def masks_of(folder: Path, images: list[str]) -> tuple[list[Path | None], str | None]:
    """The mask of each image, given by their names in images/, or [] where there is none at all; and a remark."""
    place = folder / FOLDER
    if not place.is_dir():
        return [], None
    found = [_mask(place, name.replace("\\", "/")) for name in images]
    if any(found):
        return found, None
    count = sum(file.suffix.lower() in SUFFIXES for file in place.rglob("*"))
    return [], f"none of the {count} images in {FOLDER}/ is named after an image; they are not used" if count else None


def _mask(place: Path, name: str) -> Path | None:
    stem = name[: -len(Path(name).suffix)] if Path(name).suffix else name
    written = (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))
    for base in dict.fromkeys((name, stem, Path(name).name, Path(stem).name)):
        for suffix in written:
            candidate = place / (base + suffix)
            if candidate.is_file():
                return candidate
    return place / name if (place / name).is_file() else None
