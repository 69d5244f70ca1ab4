"""Which form an object folder has, and which folders below a path are objects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

    parts: its place below the path that was given, e.g. ('food', 'apple').
    """

    folder: Path
    parts: tuple[str, ...]
    read: Callable[[Path], Capture] | None


def find_reader(folder: Path) -> Callable[[Path], Capture] | None:
    return next((read for fits, read in _FORMS if fits(folder)), None)


def candidates(path: Path) -> Iterator[Candidate]:
    """`path` itself where it is an object; else the objects in its folders, and one level deeper in class folders."""
    read = find_reader(path)
    if read is not None:
        yield Candidate(path, (path.resolve().name,), read)
        return
    for child in _folders(path):
        read = find_reader(child)
        inner = (
            []
            if read
            else [
                Candidate(grandchild, (child.name, grandchild.name), find_reader(grandchild))
                for grandchild in _folders(child)
            ]
        )
        if any(candidate.read for candidate in inner):
            yield from inner
        else:
            yield Candidate(child, (child.name,), read)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
