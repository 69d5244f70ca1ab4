"""Where the views of a run are now, if they have moved since the fit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from manyfields.errors import RunError, ViewError
from manyfields.runs.record import RunRecord


def found_again(run: Path, record: RunRecord, data: Sequence[Path | str]) -> RunRecord:
    """The record with `data` in the place of folders of views that are gone, in their order; of all where none is.

    Raises RunError for more or fewer folders than these.
    """
    if not data:
        return record
    places = [place for place, folder in enumerate(record.data) if not Path(folder).exists()]
    places = places or list(range(len(record.data)))
    if len(places) != len(data):
        gone = ", ".join(record.data[place] for place in places)
        raise RunError(f"{run} was fitted to views at {gone}: --data names as many folders, in this order")
    moved = list(record.data)
    for place, folder in zip(places, data, strict=True):
        moved[place] = str(Path(folder).resolve())
    return replace(record, data=moved)


def check_at_hand(run: Path, folder: str) -> None:
    """Raises ViewError, which says what to do, where the views that a run was fitted to are gone."""
    if not Path(folder).exists():
        raise ViewError(
            f"{run} was fitted to views at {folder}, which are gone: bring them back, or say where they are now with "
            "--data"
        )
