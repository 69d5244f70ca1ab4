"""Which views are held out: chosen once, by name, so that the choice survives another order, machine or subset."""

import hashlib
from collections.abc import Sequence

from manyfields.errors import ConfigError, ViewError


def hold_out(
    names: Sequence[str],
    object_id: str,
    seed: int = 0,
    fraction: float = 0.1,
    test_names: Sequence[str] | None = None,
) -> tuple[list[int], list[int]]:
    """Split views into (train, test) indices, each ascending; a pure function of its arguments.

    Where `test_names` (the data's own test file) names any of the views, those are held out. Else the share
    `fraction` of the names (rounded half up, at least one of two or more views unless `fraction` is 0) with the
    smallest SHA-256 of "seed<newline>object<newline>name" is. Views with one name stay on one side.

    Raises ConfigError where `fraction` is not in [0, 1), ViewError where no view is left to train on.

    >>> hold_out(["left", "right", "top"], "truck")
    ([0, 2], [1])
    >>> hold_out(["left", "right", "top"], "truck", test_names=["top"])
    ([0, 1], [2])
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"the held-out fraction must be at least 0 and below 1, not {fraction}")
    held_out = set(names) & set(test_names or ())
    if not held_out:
        unique = sorted(set(names), key=lambda name: (_hash(seed, object_id, name), name))
        count = int(len(unique) * fraction + 0.5)
        if fraction > 0 and len(unique) >= 2:
            count = max(count, 1)
        held_out = set(unique[: min(count, len(unique) - 1)]) if unique else set()
    train = [index for index, name in enumerate(names) if name not in held_out]
    if not train:
        raise ViewError(f"object {object_id}: all {len(names)} views are test views; add views to train on")
    return train, [index for index, name in enumerate(names) if name in held_out]


def _hash(seed: int, object_id: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{object_id}\n{name}".encode()).digest()
