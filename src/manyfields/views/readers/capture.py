"""What every reader produces of one object folder, before anything in it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from manyfields.views.depths import DepthFile
from manyfields.views.undistort import Lens

Remark = tuple[str | None, str, str]
"""(view, kind, message): of a view that is left out, or, where it is None, of the object, which is used."""


@dataclass
class Capture:
    """One object folder as parsed: nothing judged, no image opened but for a size that is written nowhere.

    poses: OpenGL camera-to-world in the data's world, NaN where a pose could not be read; focal, center: (x, y) in
    pixels of an image of `sizes`, (width, height), which need not be the image's own; usually_resized: they seldom are
    in this form, so nothing is said of it. in_unit_sphere: the data's world already is the object's. remarks: what the
    reader left out or took in another way. source_axes: the convention in which the files write poses. depths, masks:
    one for each view, None where it has none; or empty. upright: which images are turned as their EXIF orientation
    says; or empty.
    """

    path: Path
    names: list[str]
    files: list[Path]
    poses: Float64[np.ndarray, "V 4 4"]
    focal: Float64[np.ndarray, "V 2"]
    center: Float64[np.ndarray, "V 2"]
    sizes: Int64[np.ndarray, "V 2"]
    lenses: list[Lens | None]
    object_id: str | None = None
    label: str | None = None
    group: str | None = None
    test_names: tuple[str, ...] | None = None
    in_unit_sphere: bool = False
    source_axes: str = "OpenGL"
    usually_resized: bool = False
    remarks: list[Remark] = field(default_factory=list)
    depths: list[DepthFile | None] = field(default_factory=list)
    masks: list[Path | None] = field(default_factory=list)
    upright: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def picked(self, rows: Sequence[int]) -> "Capture":
        """The same in some of its views."""
        rows = list(rows)
        if rows == list(range(len(self))):
            return self
        return replace(
            self,
            names=[self.names[row] for row in rows],
            files=[self.files[row] for row in rows],
            poses=self.poses[rows],
            focal=self.focal[rows],
            center=self.center[rows],
            sizes=self.sizes[rows],
            lenses=[self.lenses[row] for row in rows],
            depths=[self.depths[row] for row in rows] if self.depths else [],
            masks=[self.masks[row] for row in rows] if self.masks else [],
            upright=[self.upright[row] for row in rows] if self.upright else [],
        )

    def without(self, faults: dict[int, tuple[str, str]]) -> "Capture":
        """The same without the views that have a fault, (kind, message), each of which becomes a remark."""
        if not faults:
            return self
        told = [(self.names[row], *faults[row]) for row in sorted(faults)]
        kept = self.picked([row for row in range(len(self)) if row not in faults])
        return replace(kept, remarks=[*self.remarks, *told])

    def saying(self, kind: str, message: str) -> "Capture":
        """The same with a remark on the object."""
        return replace(self, remarks=[*self.remarks, (None, kind, message)])


def joined(first: Capture, second: Capture) -> Capture:
    """The views of both; all else is that of the first."""
    return replace(
        first,
        names=first.names + second.names,
        files=first.files + second.files,
        poses=np.concatenate([first.poses, second.poses]),
        focal=np.concatenate([first.focal, second.focal]),
        center=np.concatenate([first.center, second.center]),
        sizes=np.concatenate([first.sizes, second.sizes]),
        lenses=first.lenses + second.lenses,
        remarks=first.remarks + second.remarks,
        depths=first.depths + second.depths,
        masks=first.masks + second.masks,
    )
