"""Pictures of what codecs know of objects: where training rays look, and what is stored.

What only coding knows, such as importance, is kept as pictures beside the collection; the rest is in an object's bytes.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manyfields._io import write_atomic
from manyfields.collection import Collection
from manyfields.evaluation.report import PlaneMap
from manyfields.families.codec import Fitted

FOLDER = "importance"


def keeping_pictures(folder: Path, objects: Fitted) -> Fitted:
    """The same objects; what was important of each is written to `folder` as `importance/<id>.png`."""

    def note(name: str, what: str, make: Callable[[], Any]) -> None:
        from PIL import Image

        if what == FOLDER:
            file = io.BytesIO()
            Image.fromarray(make()).save(file, "PNG")
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            write_atomic(folder / FOLDER / f"{name}.png", file.getvalue())

    return replace(objects, note=note)


def plane_maps(collection: Collection, name: str) -> tuple[PlaneMap, ...]:
    """What the codec shows of one object, and before it importance where its picture is at hand."""
    from PIL import Image

    shown = [PlaneMap(what, picture) for what, picture in collection.codec.pictures(collection.layers(name))]
    path = Path(collection.path) / FOLDER / f"{name}.png"
    if shown and path.is_file():
        shown.insert(0, PlaneMap("importance of texels: planes XY, XZ, YZ", np.asarray(Image.open(path).convert("L"))))
    return tuple(shown)
