"""nerfstudio's lists of frames: train_filenames, val_filenames and test_filenames in a transforms.json."""

import posixpath
from typing import Any

from manyfields.views.images import has_image_suffix
from manyfields.views.readers.capture import Capture

_TRAIN, _VALIDATION, _TEST = "train_filenames", "val_filenames", "test_filenames"


def view_name(file_path: str) -> str:
    """`file_path` as written, without './' and without an image's extension: 'train/r_0', 'rgba/000'."""
    name = posixpath.normpath(file_path.replace("\\", "/"))
    return name[: name.rindex(".")] if has_image_suffix(name) else name


def as_listed(capture: Capture, header: dict[str, Any]) -> Capture:
    """The views that the lists name for training and testing, and the names of the latter in `test_names`.

    Views in val_filenames are held out where there is no list of test views, and else left out, as are those that no
    list names where there is one of training views. A capture that has `test_names` (of a file of test views) keeps
    them.
    """
    lists = {key: found for key in (_TRAIN, _VALIDATION, _TEST) if (found := _names(header.get(key)))}
    for key in list(lists):
        known = lists[key] & set(capture.names)
        if not known:
            first = sorted(lists[key])[0]
            capture = capture.saying("lists", f"{key} names no frame (its first name is {first}); it is not used")
            del lists[key]
    if capture.test_names is None:
        held_out = lists.get(_TEST) or lists.get(_VALIDATION)
        capture.test_names = tuple(name for name in capture.names if held_out and name in held_out) or None
    tested = set(capture.test_names or ())
    kept = list(range(len(capture)))
    if _TRAIN in lists:
        kept = [row for row in kept if capture.names[row] in lists[_TRAIN] | tested]
    elif _VALIDATION in lists:
        kept = [row for row in kept if capture.names[row] not in lists[_VALIDATION] - tested]
    if len(kept) == len(capture):
        return capture
    message = (
        f"{len(capture) - len(kept)} of {len(capture)} frames are neither trained on nor tested: the file's lists "
        f"({', '.join(lists)}) say so"
    )
    return capture.picked(kept).saying("lists", message)


def _names(listed: Any) -> set[str]:
    if not isinstance(listed, list):
        return set()
    return {view_name(name) for name in listed if isinstance(name, str)}
