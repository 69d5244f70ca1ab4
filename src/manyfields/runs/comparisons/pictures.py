"""The picture of `compare --families`: the same held-out views from every run, beside the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from manyfields.collection import open_collection
from manyfields.evaluation.report.grid import Cell, labelled_grid
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.evaluation.units import format_bytes
from manyfields.fitting.progress import Progress
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.held_out import HeldOut, as_bytes, render_codes
from manyfields.views import ObjectViews, read_views

MOST_OBJECTS = 4


@dataclass(frozen=True)
class PictureColumn:
    """A run, or what it was compressed to: the words above its pictures are its family and what it is stored as."""

    family: str
    form: str
    run: Path
    object_bytes: float
    """Its own."""
    bytes_with_shared: float


def family_pictures(columns: Sequence[PictureColumn], progress: Progress) -> UInt8[np.ndarray, "height width 3"]:
    """One held-out view of up to four objects, a row each: truth, then each of `columns` (which hold out the same)."""
    record = RunRecord.load(columns[0].run)
    ids = [name for name in open_collection(columns[0].run) if record.held_out[name]["views"]]
    rows = np.unique(np.linspace(0, len(ids) - 1, min(MOST_OBJECTS, len(ids))).round().astype(int))
    shown = [ids[row] for row in rows]
    found = {item.id: item for item in read_views(record.data[0]).only(shown)}
    cells: list[list[Cell]] = [[] for _ in shown]
    for place, column in enumerate(columns):
        for name, row in zip(shown, cells, strict=True):
            seen = _rendered(column.run, found[name], record.held_out[name]["views"][0], record.size)
            if not row:
                row.append((as_bytes(seen.truth)[0].numpy(), name))
            row.append((as_bytes(seen.rendered)[0].numpy(), caption(mean_scores(seen.scores()))))
        progress("pictures", place + 1, len(columns))
    titles = [["held-out view", "", ""]]
    for column in columns:
        own, whole = format_bytes(column.object_bytes), format_bytes(column.bytes_with_shared)
        titles.append([f"{column.family}, {column.form}", f"{own}, with the", f"shared part {whole}"])
    return labelled_grid(titles, cells)


def caption(scores: Scores) -> str:
    """Short enough for a picture of 128 pixels.

    >>> caption(Scores(psnr=31.234, foreground_psnr=24.561))
    '31.2, foregr. 24.6 dB'
    """
    inside = "" if scores.foreground_psnr is None else f", foregr. {scores.foreground_psnr:.1f}"
    return "" if scores.psnr is None else f"{scores.psnr:.1f}{inside} dB"


def _rendered(run: Path, source: ObjectViews, view: str, size: tuple[int, int]) -> HeldOut:
    collection = open_collection(run)
    item = collection[source.id]
    bounds = torch.as_tensor(item.entry.bounds)
    return render_codes(collection, item.code(), bounds, source, [source.names.index(view)], size)
