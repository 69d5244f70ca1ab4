"""Images, or meshes as voxels, on one grid: the instances that mixtures of implicit functions learn besides scenes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manyfields.errors import ViewError
from manyfields.views.images import SUFFIXES, is_image_name, load_image
from manyfields.views.readers import read_views
from manyfields.views.readers.ids import unique_ids
from manyfields.views.types import Problem

MANIFEST = "transforms.json"


@dataclass(frozen=True, eq=False)
class Instance:
    """One object that is an image or voxels: what it is in the P cells of a grid of `side` cells along each axis.

    values: row by row; colours or, of voxels, 255 where something is. group: instances of one group (views of one
    design) are learned together, or together set apart.
    """

    id: str
    values: UInt8[np.ndarray, "P K"]
    side: int
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class InstanceSet:
    """Instances on one grid in the order of their files, and what could not be read."""

    instances: list[Instance]
    path: Path
    problems: list[Problem] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.instances]

    def only(self, ids: Sequence[str]) -> "InstanceSet":
        """The instances of these ids, in their order here; all of them where no id is given.

        Raises ViewError where there is no instance of an id.
        """
        if not ids:
            return self
        known = self.ids
        for name in ids:
            if name not in known:
                some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
                raise ViewError(f"{self.path} has no object {name!r}; it has {some}")
        instances = [item for item in self.instances if item.id in ids]
        return InstanceSet(instances, self.path, [problem for problem in self.problems if problem.object in ids])

    def __len__(self) -> int:
        return len(self.instances)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)


@dataclass(frozen=True)
class _Source:
    """An image before it is read."""

    id: str
    label: str | None
    group: str | None
    read: Callable[[], UInt8[np.ndarray, "H W 4"]]


def read_images(folder: Path | str, side: int = 64) -> InstanceSet:
    """Every image below a folder, in the middle square of each, brought to `side` x `side` pixels on white.

    A folder of views of objects (those that `fit` reads) gives all views of each, named `object-view`, in the object's
    group; any other folder its files, named by their paths. Files that cannot be read are reported in `problems`.
    Raises ViewError where no image can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ViewError(f"{folder}: no such folder of images")
    sources, problems = _sources(folder)
    kept: list[_Source] = []
    pixels: list[np.ndarray] = []
    for source in sources:
        try:
            pixels.append(_square(source.read(), side))
            kept.append(source)
        except ViewError as error:
            problems.append(Problem(source.id, None, "unreadable", str(error), True))
    if not kept:
        raise ViewError(f"{folder}: holds no image that can be read; put {', '.join(SUFFIXES)} files there")
    ids, remarks = fit_ids([source.id for source in kept])
    problems += remarks
    instances = [
        Instance(name, square.reshape(side * side, 3), side, source.label, source.group)
        for name, square, source in zip(ids, pixels, kept, strict=True)
    ]
    return InstanceSet(instances, folder, problems)


def fit_ids(wanted: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Ids of instances that can be stored and differ, and remarks on those that are called otherwise than wanted."""
    named = unique_ids(wanted, [(name,) for name in wanted])
    remarks = [Problem(each.id, None, "name", remark, False) for each in named for remark in each.remarks]
    return [each.id for each in named], remarks


def _sources(folder: Path) -> tuple[list[_Source], list[Problem]]:
    if (folder / MANIFEST).is_file() or next(folder.glob(f"*/{MANIFEST}"), None) is not None:
        views = read_views(folder)
        found = [
            _Source(f"{item.id}-{Path(name).stem}", item.label, item.group or item.id, partial(item.stored_image, row))
            for item in views
            for row, name in enumerate(item.names)
        ]
        return found, list(views.problems)
    files = sorted(path for path in folder.rglob("*") if is_image_name(path.name) and path.is_file())
    names = ["-".join(path.relative_to(folder).parts) for path in files]
    short = [Path(name).stem for name in names]
    # Two files that differ by their ending alone keep it.
    ids = short if len(set(short)) == len(short) else names
    return [_Source(name, None, None, partial(load_image, path)) for name, path in zip(ids, files, strict=True)], []


def _square(rgba: UInt8[np.ndarray, "H W 4"], side: int) -> UInt8[np.ndarray, "S S 3"]:
    from PIL import Image

    height, width = rgba.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    # Premultiplied, so that nothing transparent bleeds into edges; then over white.
    cut = Image.fromarray(np.ascontiguousarray(rgba[top : top + least, left : left + least]), "RGBA").convert("RGBa")
    small = np.asarray(cut.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)).astype(np.int32)
    return (small[..., :3] + 255 - small[..., 3:]).clip(0, 255).astype(np.uint8)
