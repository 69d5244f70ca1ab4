"""What is wrong with posed views, found before hours of fitting are spent on them.

kind         about     meaning
unreadable   view      the image, or its mask, is missing, truncated or not an image
blank        view      the image is one colour all over, or all transparent
size         object    a remark: its views are of another size than those of most objects
pose         view      the pose is not finite, or its rotation is not a rotation
unseen       view      the unit sphere, where the object is, lies outside the image
duplicate    view      same image, or same pose with another image, as an earlier view
convention   object    most cameras look away from what they have in common: axes flipped
few          object    fewer than three views, or fewer than three good ones
lens         object    lens distortion that cannot be undone here, for OpenCV is not installed
depth        object    a remark: depth images that cannot be read, or that contradict the images' alpha

What readers find (docs/reference/data.md lists it) comes before these.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from manyfields.cameras import Cameras
from manyfields.cores import chosen_threads
from manyfields.errors import ViewError
from manyfields.views.depth_check import depth_problems
from manyfields.views.readers.poses import RIGID_TOLERANCE
from manyfields.views.types import ObjectViews, Problem, ViewSet
from manyfields.views.undistort import NEEDS_OPENCV

LEAST_VIEWS = 3
LARGE = 16_000_000  # pixels


def check_views(views: ViewSet) -> list[Problem]:
    """Everything that is wrong with `views`, what was found at reading included. Decodes every image once.

    Depth images are looked at too, which `usable_views` leaves alone: most fits never open them.

    >>> from manyfields.views.readers import read_views
    >>> check_views(read_views("data/vehicles"))
    []
    """
    found = [problem for findings in _inspect_all(views) for problem in findings.problems]
    return views.problems + found + depth_problems(views)


def usable_views(views: ViewSet) -> tuple[ViewSet, list[Problem]]:
    """The views without those that have a problem, without unusable objects, and all the problems.

    The set that comes back has no `problems` of its own; it is empty where nothing is usable.

    >>> from manyfields.views.readers import read_views
    >>> views, problems = usable_views(read_views("data/vehicles"))
    >>> len(views), problems
    (3, [])
    """
    objects: list[ObjectViews] = []
    problems = list(views.problems)
    for item, findings in zip(views, _inspect_all(views), strict=True):
        problems.extend(findings.problems)
        if not any(problem.fatal for problem in findings.problems):
            good = [index for index in range(len(item)) if index not in findings.bad]
            objects.append(item.subset(good) if findings.bad else item)
    return ViewSet(objects, [], views.path), problems


@dataclass
class _Findings:
    """Problems of one object, and the indices of its bad views (names may be given twice)."""

    item: ObjectViews
    problems: list[Problem] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    def view(self, index: int, kind: str, message: str) -> None:
        self.bad.add(index)
        self.problems.append(Problem(self.item.id, self.item.names[index], kind, message, False))

    def object(self, kind: str, message: str, fatal: bool = True) -> None:
        self.problems.append(Problem(self.item.id, None, kind, message, fatal))


@dataclass(frozen=True)
class _Picture:
    """What is kept of a decoded image."""

    digest: bytes
    blank: str | None


def _inspect_all(views: ViewSet) -> list[_Findings]:
    common = Counter((item.cameras.width, item.cameras.height) for item in views).most_common(1)
    results = []
    with ThreadPoolExecutor(min(8, chosen_threads())) as pool:
        for item in views:
            # Large images one after the other: eight at once would take gigabytes.
            at_once = pool.map if max(map(math.prod, item.sizes), default=0) < LARGE else map
            try:
                findings = _inspect(item, at_once)
            except Exception as error:  # whatever its files hold, the other objects are looked at
                findings = _Findings(item)
                findings.object("unreadable", f"its views cannot be checked ({type(error).__name__}: {error})")
            size = (item.cameras.width, item.cameras.height)
            if size != common[0][0]:
                message = f"its views are {_text(size)}, most objects' are {_text(common[0][0])}"
                findings.object("size", message, fatal=False)
            results.append(findings)
    return results


def _inspect(item: ObjectViews, at_once: Callable[..., Iterable["_Picture | ViewError"]]) -> _Findings:
    findings = _Findings(item)
    pictures = list(at_once(_look, [item] * len(item), range(len(item))))
    _check_poses(findings)
    _check_pictures(findings, pictures)
    _check_duplicates(findings, pictures)
    if any(item.lenses) and find_spec("cv2") is None:
        findings.object("lens", NEEDS_OPENCV)
    _check_count(findings)
    return findings


def _look(item: ObjectViews, index: int) -> _Picture | ViewError:
    try:
        rgba = item.stored_image(index)
    except ViewError as error:
        return error
    blank = None
    if rgba[..., 3].max() == 0:
        blank = "the image is all transparent"
    elif (rgba == rgba[:1, :1]).all():
        blank = f"the image is one colour all over, RGBA {tuple(rgba[0, 0].tolist())}"
    digest = hashlib.sha256(repr(rgba.shape).encode() + rgba.tobytes()).digest()
    return _Picture(digest, blank)


def _check_pictures(findings: _Findings, pictures: list[_Picture | ViewError]) -> None:
    for index, picture in enumerate(pictures):
        if isinstance(picture, ViewError):
            findings.view(index, "unreadable", str(picture.__cause__))
            continue
        if picture.blank:
            findings.view(index, "blank", picture.blank)


def _check_duplicates(findings: _Findings, pictures: list[_Picture | ViewError]) -> None:
    """The first of a group of equals stays. Blank images are equal for another reason, and not reported twice."""
    by_image: dict[bytes, int] = {}
    by_pose: dict[bytes, int] = {}
    poses = findings.item.cameras.camera_to_world.double().numpy().round(5) + 0.0  # -0.0 becomes 0.0
    names = findings.item.names
    for index, picture in enumerate(pictures):
        if isinstance(picture, ViewError) or picture.blank or not np.isfinite(poses[index]).all():
            continue
        same_image = by_image.setdefault(picture.digest, index)
        same_pose = by_pose.setdefault(poses[index].tobytes(), index)
        if same_image != index:
            findings.view(index, "duplicate", f"the same image as view {names[same_image]}")
        elif same_pose != index:
            findings.view(index, "duplicate", f"the same pose as view {names[same_pose]}, but another image")


def _check_poses(findings: _Findings) -> None:
    cameras = findings.item.cameras
    rigid: list[int] = []
    for index, pose in enumerate(cameras.camera_to_world.double().numpy()):
        fault = _pose_fault(pose)
        if fault:
            findings.view(index, "pose", fault)
        else:
            rigid.append(index)
    if not rigid:
        return
    as_read = cameras[rigid]
    unseen = [index for index, seen in zip(rigid, _sees_unit_sphere(as_read), strict=True) if not seen]
    away = _looks_away(as_read)
    if away.mean() > 0.5:
        given = "OpenGL" if findings.item.source_axes == "OpenCV" else "OpenCV"
        findings.object(
            "convention",
            f"{int(away.sum())} of {len(rigid)} cameras look away from their common centre: the poses have {given} "
            f"axes where {findings.item.source_axes} axes belong; negate the second and third column of each pose",
        )
        return
    for index in unseen:
        findings.view(index, "unseen", "the object's unit sphere lies outside the image or behind the camera")


def _pose_fault(pose: np.ndarray) -> str | None:
    if not np.isfinite(pose).all():
        return "the pose is not a 4x4 matrix of finite numbers"
    if np.abs(pose[3] - [0, 0, 0, 1]).max() > RIGID_TOLERANCE:
        turned = np.abs(pose[:, 3] - [0, 0, 0, 1]).max() <= RIGID_TOLERANCE
        return "the last row of the pose is not 0 0 0 1" + (", but its last column is: transpose it" if turned else "")
    rotation = pose[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > RIGID_TOLERANCE:
        return "the pose is not rigid: its columns are not orthogonal unit vectors"
    if np.linalg.det(rotation) < 0:
        return "the pose is a reflection, not a rotation (its determinant is -1)"
    return None


def _origin_in_camera(cameras: Cameras) -> np.ndarray:
    """The object's centre, (V, 3): x right, y down, z forward."""
    pose = cameras.camera_to_world.double().numpy()
    local = np.einsum("vji,vj->vi", pose[:, :3, :3], -pose[:, :3, 3])
    return local * [1, -1, -1]


def _looks_away(cameras: Cameras) -> np.ndarray:
    """(V,): the unit sphere is all behind the camera, so that turning the camera round would bring it in sight."""
    return _origin_in_camera(cameras)[:, 2] < -1


def _sees_unit_sphere(cameras: Cameras) -> np.ndarray:
    """(V,): some of the unit sphere is in front of the camera and within the image's four side planes."""
    x, y, depth = _origin_in_camera(cameras).T
    focal, center = cameras.focal.double().numpy(), cameras.center.double().numpy()
    slopes: Iterable[tuple[np.ndarray, np.ndarray]] = [
        (x, center[:, 0] / focal[:, 0]),
        (-x, (cameras.width - center[:, 0]) / focal[:, 0]),
        (y, center[:, 1] / focal[:, 1]),
        (-y, (cameras.height - center[:, 1]) / focal[:, 1]),
    ]
    seen = depth > -1
    for side, slope in slopes:
        seen &= (side + slope * depth) / np.sqrt(1 + slope**2) > -1
    return seen


def _check_count(findings: _Findings) -> None:
    good, total = len(findings.item) - len(findings.bad), len(findings.item)
    if good < LEAST_VIEWS:
        message = f"only {good} of its {total} views are good; an object needs at least {LEAST_VIEWS}"
        findings.object("few", message)
    elif {findings.item.names[row] for row in range(total) if row not in findings.bad} <= set(
        findings.item.test_names or ()
    ):
        findings.object("few", f"all {good} good views are test views; an object needs views to learn from")


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
