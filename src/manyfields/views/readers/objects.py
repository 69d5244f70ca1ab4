"""A parsed object folder to an object's views: each step mends what it can, and says so."""

import numpy as np
import torch
from jaxtyping import Float64

from manyfields.cameras import Cameras
from manyfields.errors import ViewError
from manyfields.names import fit_text, printable
from manyfields.views.placement import world_to_object_from_cameras
from manyfields.views.readers.capture import Capture
from manyfields.views.readers.intrinsics import in_pixels, with_sound_numbers
from manyfields.views.readers.poses import look_inverted, with_rotations
from manyfields.views.readers.sizes import at_one_size
from manyfields.views.types import ObjectViews, Problem


def to_object(capture: Capture, object_id: str, label: str | None) -> tuple[ObjectViews, list[Problem]]:
    """Cameras of one size in object coordinates, what had to be left out, and what was taken in another way.

    Raises ViewError where nothing is usable: no views, senseless intrinsics, no finite pose.
    """
    if not capture.names:
        first = f"; {capture.remarks[0][0]}: {capture.remarks[0][2]}" if capture.remarks else ""
        raise ViewError(f"it has no views{first}")
    capture, sizes = at_one_size(in_pixels(with_sound_numbers(_with_all_masks(capture))))
    capture = with_rotations(capture)
    world_to_object = _placement(capture)
    width, height = capture.sizes[0].tolist()
    cameras = Cameras(
        camera_to_world=torch.from_numpy(capture.poses),
        focal=torch.from_numpy(capture.focal).float(),
        center=torch.from_numpy(capture.center).float(),
        width=width,
        height=height,
    )
    moved = cameras.transformed(torch.from_numpy(world_to_object)).camera_to_world.float()
    label, group = capture.label or label, capture.group
    views = ObjectViews(
        id=object_id,
        path=capture.path,
        label=None if label is None else fit_text(label),
        group=None if group is None else fit_text(group),
        names=[printable(name) for name in capture.names],
        cameras=Cameras(moved, cameras.focal, cameras.center, width, height),
        world_to_object=world_to_object,
        test_names=None if capture.test_names is None else tuple(map(printable, capture.test_names)),
        files=capture.files,
        lenses=capture.lenses,
        source_axes=capture.source_axes,
        depth_files=capture.depths if any(capture.depths) else [],
        masks=capture.masks if any(capture.masks) else [],
        sizes=sizes,
        upright=capture.upright if any(capture.upright) else [],
    )
    return views, [Problem(object_id, view, kind, message, False) for view, kind, message in capture.remarks]


def _with_all_masks(capture: Capture) -> Capture:
    """Where some views have masks, those without would be learned with all that is around the object."""
    if not any(capture.masks):
        return capture
    message = "it has no mask, as other views have; make one that is white on the object"
    return capture.without({row: ("mask", message) for row, mask in enumerate(capture.masks) if mask is None})


def _placement(capture: Capture) -> Float64[np.ndarray, "4 4"]:
    finite = [index for index, pose in enumerate(capture.poses) if np.isfinite(pose).all()]
    if not finite:
        raise ViewError("none of its poses is a 4x4 matrix of finite numbers")
    poses = capture.poses[finite]
    if look_inverted(poses):
        raise ViewError(
            "its cameras do not look at one point from round about, but would if their poses were inverted: they are "
            "world-to-camera where camera-to-world belongs; invert each pose"
        )
    if capture.in_unit_sphere:
        return np.eye(4)
    half_angles = np.arctan(0.5 * capture.sizes[finite] / capture.focal[finite]).min(-1)
    return world_to_object_from_cameras(poses, half_angles)
