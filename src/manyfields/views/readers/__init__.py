"""Folders of posed images, in the forms they come in, to objects with cameras."""

from pathlib import Path

from manyfields.errors import ViewError
from manyfields.names import printable
from manyfields.views.readers.capture import Capture
from manyfields.views.readers.detect import UNDERSTOOD, Candidate, candidates
from manyfields.views.readers.ids import folder_id, unique_ids
from manyfields.views.readers.objects import to_object
from manyfields.views.types import ObjectViews, Problem, ViewSet

__all__ = ["read_views"]


def read_views(path: Path | str) -> ViewSet:
    """Read one object folder, or a folder of them (directly, or in class folders). Of images only headers are read.

    An object's id is the data's `object_id`, else its folder's name ('class-name' in a class folder); where two
    objects claim one id, both get their folders' names, and what cannot be stored as an id is made fit for one. Its
    label is the data's `object_class`, else the class folder. Objects are ordered by id. A folder that cannot be read
    becomes a fatal Problem and ends nothing; what is read in another way than it is written is a remark.

    Raises ViewError where `path` is no folder, or holds no usable object at all.

    >>> views = read_views("data/vehicles")
    >>> views.ids, views.problems
    (['car', 'truck', 'van'], [])
    """
    path = Path(path)
    if not path.is_dir():
        raise ViewError(f"{path} is not a folder; give a folder with {UNDERSTOOD}")
    captures: list[tuple[Candidate, Capture]] = []
    problems: list[Problem] = []
    for candidate in candidates(path):
        try:
            captures.append((candidate, _read(candidate)))
        except Exception as error:  # whatever a hostile or damaged file makes of a reader: it ends this object alone
            problems.append(_fatal(folder_id(candidate.parts), candidate, error))
    named = unique_ids([capture.object_id for _, capture in captures], [candidate.parts for candidate, _ in captures])
    objects: list[ObjectViews] = []
    for (candidate, capture), name in zip(captures, named, strict=True):
        label = candidate.parts[0] if len(candidate.parts) == 2 else None
        try:
            views, remarks = to_object(capture, name.id, label)
        except Exception as error:  # as above
            problems.append(_fatal(name.id, candidate, error))
        else:
            objects.append(views)
            problems += [Problem(name.id, None, "name", message, False) for message in name.remarks]
            problems += remarks
    if not objects:
        first = f"; {problems[0].object}: {problems[0].message}" if problems else ""
        raise ViewError(printable(f"{path} holds no usable object; it should hold {UNDERSTOOD}{first}"))
    return ViewSet(sorted(objects, key=lambda item: item.id), problems, path)


def _read(candidate: Candidate) -> Capture:
    if candidate.fault is not None:
        raise candidate.fault
    if candidate.read is None:
        raise ViewError(f"no object here: it needs {UNDERSTOOD}")
    return candidate.read(candidate.folder)


def _fatal(object_id: str, candidate: Candidate, error: Exception) -> Problem:
    if isinstance(error, ViewError | OSError):
        reason = str(error)
    else:
        reason = f"its files cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
    return Problem(object_id, None, "unreadable", f"{candidate.folder}: {reason}", True)
