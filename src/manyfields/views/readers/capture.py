"""What every reader produces, and how it becomes an object's views."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64

from manyfields.cameras import Cameras
from manyfields.errors import ViewError
from manyfields.views.depths import DepthFile
from manyfields.views.placement import world_to_object_from_cameras
from manyfields.views.types import ObjectViews, Problem
from manyfields.views.undistort import Lens


@dataclass
class Capture:
    """One object folder as parsed: nothing judged, no image opened but for a size that is written nowhere.

    poses: OpenGL camera-to-world in the data's world, NaN where a pose could not be read; focal, center: (x, y) in
    pixels; sizes: (width, height). in_unit_sphere: the data's world already is the object's. remarks: (view, kind,
    message) of what was left out. source_axes: the convention in which the files write poses. depths: one for each
    view, None where it has no depth image; or empty.
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
    remarks: list[tuple[str | None, str, str]] = field(default_factory=list)
    depths: list[DepthFile | None] = field(default_factory=list)


def to_object(capture: Capture, object_id: str, label: str | None) -> tuple[ObjectViews, list[Problem]]:
    """Cameras of one size in object coordinates, and what had to be left out.

    Raises ViewError where nothing is usable: no views, senseless intrinsics, no finite pose.
    """
    problems = [Problem(object_id, view, kind, message, False) for view, kind, message in capture.remarks]
    if not capture.names:
        raise ViewError("it has no views")
    if not (np.isfinite(capture.focal).all() and (capture.focal > 0).all() and np.isfinite(capture.center).all()):
        raise ViewError("its intrinsics are not finite, or a focal length is not positive")
    if (capture.sizes <= 0).any():
        raise ViewError("an image size is not positive")
    width, height = Counter(map(tuple, capture.sizes.tolist())).most_common(1)[0][0]
    kept = [index for index, size in enumerate(capture.sizes.tolist()) if size == [width, height]]
    for index in sorted(set(range(len(capture.names))) - set(kept)):
        other = "x".join(map(str, capture.sizes[index].tolist()))
        message = f"its camera is {other}, most of this object's are {width}x{height}"
        problems.append(Problem(object_id, capture.names[index], "size", message, False))
    cameras = Cameras(
        camera_to_world=torch.from_numpy(capture.poses[kept]),
        focal=torch.from_numpy(capture.focal[kept]).float(),
        center=torch.from_numpy(capture.center[kept]).float(),
        width=width,
        height=height,
    )
    world_to_object = _placement(capture, kept)
    moved = cameras.transformed(torch.from_numpy(world_to_object)).camera_to_world.float()
    views = ObjectViews(
        id=object_id,
        path=capture.path,
        label=capture.label or label,
        group=capture.group,
        names=[capture.names[index] for index in kept],
        cameras=Cameras(moved, cameras.focal, cameras.center, width, height),
        world_to_object=world_to_object,
        test_names=capture.test_names,
        files=[capture.files[index] for index in kept],
        lenses=[capture.lenses[index] for index in kept],
        source_axes=capture.source_axes,
        depth_files=[capture.depths[index] for index in kept] if any(capture.depths) else [],
    )
    return views, problems


def _placement(capture: Capture, kept: list[int]) -> Float64[np.ndarray, "4 4"]:
    finite = [index for index in kept if np.isfinite(capture.poses[index]).all()]
    if not finite:
        raise ViewError("none of its poses is a 4x4 matrix of finite numbers")
    if capture.in_unit_sphere:
        return np.eye(4)
    half_angles = np.arctan(0.5 * capture.sizes[finite] / capture.focal[finite]).min(-1)
    return world_to_object_from_cameras(capture.poses[finite], half_angles)
