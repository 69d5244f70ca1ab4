"""Which form an object folder has, and which folders below a path are objects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from manyfields.views.readers.capture import Capture
from manyfields.views.readers.colmap import is_colmap_folder, read_colmap
from manyfields.views.readers.srn import is_srn_folder, read_srn
from manyfields.views.readers.transforms import is_transforms_folder, read_transforms

UNDERSTOOD = (
    "transforms.json (or transforms_train.json), rgb/ with pose/ and intrinsics.txt (SRN), "
    "images/ with sparse/0/ (COLMAP), or folders of these"
)

_FORMS: list[tuple[Callable[[Path], bool], Callable[[Path], Capture]]] = [
    (is_transforms_folder, read_transforms),
    (is_srn_folder, read_srn),
    (is_colmap_folder, read_colmap),
]


@dataclass(frozen=True)
class Candidate:
    """A folder that should be an object: `read` is None where it has no form that is understood.

    parts: its place below the path that was given, e.g. ('food', 'apple'). fault: why it cannot be looked into.
    """

    folder: Path
    parts: tuple[str, ...]
    read: Callable[[Path], Capture] | None
    fault: OSError | None = None


def find_reader(folder: Path) -> Callable[[Path], Capture] | None:
    """The reader of the folder's form. Raises OSError where it cannot be looked into."""
    return next((read for fits, read in _FORMS if fits(folder)), None)


def candidates(path: Path) -> Iterator[Candidate]:
    """`path` itself where it is an object; else the objects in its folders, and one level deeper in class folders."""
    itself = _candidate(path, (path.resolve().name,))
    if itself.read is not None or itself.fault is not None:
        yield itself
        return
    for child in _folders(path):
        candidate = _candidate(child, (child.name,))
        inner: list[Candidate] = []
        if candidate.read is None and candidate.fault is None:
            try:
                inner = [_candidate(grandchild, (child.name, grandchild.name)) for grandchild in _folders(child)]
            except OSError as error:
                candidate = replace(candidate, fault=error)
        if any(each.read for each in inner):
            yield from inner
        else:
            yield candidate


def _candidate(folder: Path, parts: tuple[str, ...]) -> Candidate:
    try:
        return Candidate(folder, parts, find_reader(folder))
    except OSError as error:
        return Candidate(folder, parts, None, error)


def _folders(path: Path) -> list[Path]:
    """The folders of a folder, without hidden ones and those that macOS adds to archives."""
    seen = (child for child in path.iterdir() if not child.name.startswith(".") and child.name != "__MACOSX")
    return sorted(child for child in seen if child.is_dir())
