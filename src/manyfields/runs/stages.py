"""Which objects learn the shared part (stage 1), and which are fitted afterwards (stage 2)."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from manyfields.fitting.data import stable_seed


class Grouped(Protocol):
    """Views of an object, or an instance."""

    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str | None: ...


T = TypeVar("T", bound=Grouped)


def split_stages(objects: Sequence[T], stage1_objects: int, seed: int) -> tuple[list[T], list[T]]:
    """Objects of stage 1 and stage 2; objects of one `group` (variants of one design) stay on one side.

    Groups are taken in the order of a seeded hash until stage 1 has `stage1_objects`; a group that does not fit whole
    is passed over, so stage 1 may have a few objects less. Where not even one group fits, the first is taken.
    """
    groups: dict[str, list[T]] = {}
    for item in objects:
        groups.setdefault(item.group or f"\0{item.id}", []).append(item)
    order = sorted(groups, key=lambda name: stable_seed(seed, "stage 1", name))
    chosen: set[str] = set()
    for name in order:
        if len(chosen) + len(groups[name]) <= stage1_objects:
            chosen.update(item.id for item in groups[name])
    if not chosen:
        chosen.update(item.id for name in order[:1] for item in groups[name])
    return [item for item in objects if item.id in chosen], [item for item in objects if item.id not in chosen]
