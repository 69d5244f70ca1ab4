"""Ids of objects: what their data or folders call them, made fit to be stored, and different from each other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from manyfields.names import fit_name, printable, same_name


@dataclass(frozen=True)
class UniqueId:
    """An id, and what has to be said of it."""

    id: str
    remarks: tuple[str, ...] = ()


def folder_id(parts: Sequence[str]) -> str:
    """The id that an object has from its place: ('food', 'apple') is 'food-apple'."""
    return fit_name("-".join(parts)) or "object"


def unique_ids(given: Sequence[str | None], places: Sequence[Sequence[str]]) -> list[UniqueId]:
    """Ids of objects, from the `object_id` of each (None: its folder's name) and its place.

    What cannot be an id is made fit for one. Where objects claim one id, all get their folders' names; ids that are the
    same even so, or for a file system (of another case, or another form of the same letters), are numbered.
    """
    wanted = [(fit_name(name) if name else "") or folder_id(parts) for name, parts in zip(given, places, strict=True)]
    claims = Counter(wanted)
    taken: set[str] = set()
    result = []
    for name, parts, first in zip(given, places, wanted, strict=True):
        source = name if name is not None else "-".join(parts)
        chosen = first if claims[first] == 1 else folder_id(parts)
        remarks = []
        if claims[first] > 1 and name is not None:
            remarks.append(f"the id {first!r} is claimed by {claims[first]} objects; the folder's name is taken")
        elif chosen != source.strip():
            remarks.append(f"'{printable(source)[:80]}' cannot be the name of an object: it is called {chosen!r}")
        number, numbered = 2, chosen
        while same_name(numbered) in taken:
            numbered, number = f"{chosen}-{number}", number + 1
        if numbered != chosen:
            remarks.append(f"the id {chosen!r} is that of another object, or as good as: it is called {numbered!r}")
        taken.add(same_name(numbered))
        result.append(UniqueId(numbered, tuple(remarks)))
    return result
