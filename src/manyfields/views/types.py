"""What the readers give: posed images of objects, and what was wrong with some of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from manyfields.cameras import Cameras
from manyfields.errors import ViewError
from manyfields.names import printable
from manyfields.views.depths import DepthFile, distances, load_steps
from manyfields.views.images import load_image, resized
from manyfields.views.masks import load_mask, masked
from manyfields.views.undistort import Lens, undistort, undistort_steps


@dataclass(frozen=True)
class Problem:
    """Something wrong with a view, or with a whole object where `view` is None.

    kind: a short slug ('unreadable', 'pose', ...). fatal: the whole object is unusable. message: one line; what cannot
    be printed of it (bytes of a file's name that are no UTF-8) is spelled.

    >>> Problem("truck", None, "size", "its views have 64 x 64 pixels, others 128 x 128", fatal=False).remark
    True
    """

    object: str
    view: str | None
    kind: str
    message: str
    fatal: bool

    def __post_init__(self) -> None:
        for name in ("object", "view", "message"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, printable(text))

    @property
    def remark(self) -> bool:
        """Nothing is set aside for it: the object is used, in another way than its files alone say."""
        return self.view is None and not self.fatal


@dataclass(frozen=True)
class ObjectViews:
    """One object in V views. Images stay on disk until `images` is called.

    cameras: (V,) in object coordinates, where the object lies within the unit sphere; world_to_object: (4, 4), from
    the data's world to those coordinates. test_names: the names that the data's own test file holds, or None.
    source_axes: 'OpenGL' or 'OpenCV', the convention in which the files were taken to write their poses. depth_files:
    where each view's depth is stored (None for a view without); empty where the data has no depth.

    >>> from manyfields.views.readers import read_views
    >>> truck = read_views("data/vehicles")["truck"]
    >>> len(truck), truck.images([0]).shape, truck.cameras.shape
    (8, (1, 16, 16, 4), torch.Size([8]))
    """

    id: str
    path: Path
    label: str | None
    group: str | None
    names: list[str]
    cameras: Cameras
    world_to_object: Float64[np.ndarray, "4 4"]
    test_names: tuple[str, ...] | None
    files: list[Path]
    lenses: list[Lens | None]
    source_axes: str = "OpenGL"
    depth_files: list[DepthFile | None] = field(default_factory=list)
    masks: list[Path | None] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    upright: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def images(self, indices: Iterable[int] | None = None) -> UInt8[np.ndarray, "V H W 4"]:
        """The views' images (all, or those of `indices`): straight-alpha sRGB, undistorted, at the cameras' size.

        Alpha is that of the file, and no more than that of the view's mask; 255 where there is neither.

        Raises ViewError that names object and view where a file is missing, damaged, or of another size than it was.
        """
        picked = range(len(self)) if indices is None else [int(index) for index in indices]
        result = np.empty((len(picked), self.cameras.height, self.cameras.width, 4), np.uint8)
        for slot, index in enumerate(picked):
            result[slot] = self._undistorted(self.stored_image(index), index)
        return result

    def depths(self, indices: Iterable[int] | None = None) -> Float32[np.ndarray, "V H W"] | None:
        """Distances along the rays of the views' pixels, in object units; 0 where nothing is, or nothing known.

        None where none of the views (all, or those of `indices`) has a depth image; a single view without one is 0 all
        over. Lens distortion is undone: each pixel has the distance that its nearest pixel of the file has.

        Raises ViewError that names object and view where a file is missing, damaged, not 16 bit, or of another size.
        """
        picked = range(len(self)) if indices is None else [int(index) for index in indices]
        files = [self.depth_files[index] for index in picked] if self.depth_files else []
        if all(file is None for file in files):
            return None
        result = np.zeros((len(picked), self.cameras.height, self.cameras.width), np.float32)
        for slot, (index, file) in enumerate(zip(picked, files, strict=True)):
            if file is not None:
                result[slot] = self._depth(index, file)
        return result

    def _depth(self, index: int, file: DepthFile) -> Float32[np.ndarray, "H W"]:
        width, height = self.cameras.width, self.cameras.height
        try:
            steps = load_steps(file, width, height)
        except ViewError as error:
            raise ViewError(f"object {self.id}, view {self.names[index]}: {error}") from error
        focal, center = self._intrinsics(index)
        lens = self.lenses[index]
        if lens is not None:
            steps = undistort_steps(steps, focal, center, lens)
        scale = float(abs(np.linalg.det(self.world_to_object[:3, :3])) ** (1 / 3))
        return distances(file, steps, focal, center, scale)

    def _intrinsics(self, index: int) -> tuple[tuple[float, float], tuple[float, float]]:
        focal_x, focal_y = self.cameras.focal[index].tolist()
        center_x, center_y = self.cameras.center[index].tolist()
        return (focal_x, focal_y), (center_x, center_y)

    def stored_image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """One image as its file has it, lens distortion and size included, behind its mask. Raises ViewError."""
        width, height = self.sizes[index] if self.sizes else (self.cameras.width, self.cameras.height)
        upright = bool(self.upright) and self.upright[index]
        mask = self.masks[index] if self.masks else None
        try:
            rgba = load_image(self.files[index], upright)
            if rgba.shape[:2] != (height, width):
                raise ViewError(
                    f"the image is {rgba.shape[1]}x{rgba.shape[0]} where it was {width}x{height}: it was replaced "
                    "after the views were read; read them again"
                )
            return rgba if mask is None else masked(rgba, load_mask(mask, width, height, upright))
        except ViewError as error:
            raise ViewError(f"object {self.id}, view {self.names[index]}: {error}") from error

    def _undistorted(self, rgba: UInt8[np.ndarray, "h w 4"], index: int) -> UInt8[np.ndarray, "H W 4"]:
        width, height = self.cameras.width, self.cameras.height
        if rgba.shape[:2] != (height, width):
            rgba = resized(rgba, (width, height))
        lens = self.lenses[index]
        if lens is None:
            return rgba
        return undistort(rgba, *self._intrinsics(index), lens)

    def subset(self, indices: Iterable[int]) -> "ObjectViews":
        """The same object in some of its views, in the order given."""
        picked = [int(index) for index in indices]
        return replace(
            self,
            names=[self.names[index] for index in picked],
            cameras=self.cameras[picked],
            files=[self.files[index] for index in picked],
            lenses=[self.lenses[index] for index in picked],
            depth_files=[self.depth_files[index] for index in picked] if self.depth_files else [],
            masks=[self.masks[index] for index in picked] if self.masks else [],
            sizes=[self.sizes[index] for index in picked] if self.sizes else [],
            upright=[self.upright[index] for index in picked] if self.upright else [],
        )


@dataclass(frozen=True)
class ViewSet:
    """Objects that are learned together, in the order of their ids, and what was wrong when they were read.

    >>> from manyfields.views.readers import read_views
    >>> views = read_views("data/vehicles")
    >>> views.ids, len(views.only(["truck"])), views["truck"].names[:2]
    (['car', 'truck', 'van'], 1, ['rgba/000', 'rgba/001'])
    """

    objects: list[ObjectViews]
    problems: list[Problem]
    path: Path
    _by_id: dict[str, ObjectViews] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {item.id: item for item in self.objects})

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.objects]

    def only(self, ids: Sequence[str]) -> "ViewSet":
        """The objects of these ids, in their order here; all of them where no id is given.

        Raises ViewError where there is no object of an id.
        """
        if not ids:
            return self
        wanted = {self[name].id for name in ids}
        objects = [item for item in self.objects if item.id in wanted]
        return ViewSet(objects, [problem for problem in self.problems if problem.object in wanted], self.path)

    def __len__(self) -> int:
        return len(self.objects)

    def __iter__(self) -> Iterator[ObjectViews]:
        return iter(self.objects)

    def __getitem__(self, key: int | str) -> ObjectViews:
        """By position, or by id: raises ViewError where there is no object of that id."""
        if isinstance(key, int):
            return self.objects[key]
        if key not in self._by_id:
            raise ViewError(
                f"{self.path} has no object {key!r}; it has {', '.join(self.ids[:5])}"
                + (", ..." if len(self) > 5 else "")
            )
        return self._by_id[key]
