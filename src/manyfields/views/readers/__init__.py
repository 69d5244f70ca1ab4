"""Folders of posed images, in the forms they come in, to objects with cameras."""

from collections import Counter
from pathlib import Path

from manyfields.errors import ViewError
from manyfields.views.readers.capture import to_object
from manyfields.views.readers.detect import UNDERSTOOD, Candidate, candidates
from manyfields.views.types import ObjectViews, Problem, ViewSet

__all__ = ["read_views"]


def read_views(path: Path | str) -> ViewSet:
    """Read one object folder, or a folder of them (directly, or in class folders), without opening the images.

    An object's id is the data's `object_id`, else its folder's name ('class-name' in a class folder); where two
    objects claim one id, both get their folders' names. Its label is the data's `object_class`, else the class
    folder. Objects are ordered by id. A folder that cannot be read becomes a fatal Problem and ends nothing.

    Raises ViewError where `path` is no folder, or holds no usable object at all.
    """
    path = Path(path)
    if not path.is_dir():
        raise ViewError(f"{path} is not a folder; give a folder with {UNDERSTOOD}")
    captures, problems = [], []
    for candidate in candidates(path):
        try:
            if candidate.read is None:
                raise ViewError(f"no object here: it needs {UNDERSTOOD}")
            captures.append((candidate, candidate.read(candidate.folder)))
        except (ViewError, OSError) as error:
            problems.append(_fatal(_folder_id(candidate), candidate, error))
    claimed = Counter(capture.object_id or _folder_id(candidate) for candidate, capture in captures)
    objects: list[ObjectViews] = []
    for candidate, capture in captures:
        wanted = capture.object_id or _folder_id(candidate)
        object_id = wanted if claimed[wanted] == 1 else _folder_id(candidate)
        label = candidate.parts[0] if len(candidate.parts) == 2 else None
        try:
            views, remarks = to_object(capture, object_id, label)
        except ViewError as error:
            problems.append(_fatal(object_id, candidate, error))
        else:
            objects.append(views)
            problems.extend(remarks)
    if not objects:
        first = f"; {problems[0].object}: {problems[0].message}" if problems else ""
        raise ViewError(f"{path} holds no usable object; it should hold {UNDERSTOOD}{first}")
    return ViewSet(sorted(objects, key=lambda item: item.id), problems, path)


def _folder_id(candidate: Candidate) -> str:
    return "-".join(candidate.parts)


def _fatal(object_id: str, candidate: Candidate, error: Exception) -> Problem:
    return Problem(object_id, None, "unreadable", f"{candidate.folder}: {error}", True)
