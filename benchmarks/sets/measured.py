"""Figures of some objects of a run, from stored bytes, and the sheet of pictures that belongs to them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from manyfields.collection import Collection, open_collection
from manyfields.evaluation import metrics
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.progress import Progress, silent
from manyfields.runs import RunRecord
from manyfields.runs.sources.held_out import HeldOut, held_out_views

UNITS = {
    "psnr": "dB",
    "foreground_psnr": "dB",
    "ssim": "",
    "lpips": "",
    "holes": "share",
    "worst_holes": "share",
}
MANY = 10_000
SHEET, CAPTION = 24, 14


def measure(
    run: Path, ids: Sequence[str], levels: Sequence[int | None] = (None,), progress: Progress = silent
) -> tuple[dict[str, list[Scores]], dict[str, HeldOut]]:
    """Of each object its scores at each level, and its held-out views from all its layers."""
    lpips, _ = load_lpips()
    scores: dict[str, list[Scores]] = {}
    pictures: dict[str, HeldOut] = {}
    for item, seen in held_out_views(open_collection(run), RunRecord.load(run), levels, progress, ids):
        scores[item.entry.id] = [mean_scores(each.scores(lpips)) for each in seen]
        pictures[item.entry.id] = seen[0]
    return scores, pictures


def means(scores: Iterable[Scores]) -> dict[str, tuple[float, str]]:
    """The figures that were measured, with their units."""
    found = mean_scores(scores).to_json()
    return {name: (value, UNITS[name]) for name, value in found.items() if value is not None}


def sizes(collection: Collection, ids: Sequence[str]) -> dict[str, tuple[float, str]]:
    """Bytes of files: of an object, of what is shared, and of an object with its share of that."""
    own = sum(collection.entry(name).bytes for name in ids) / len(ids)
    found = collection.sizes()
    shared, count = found["shared"] + found["codec"], len(collection)
    return {
        "object_bytes": (own, "bytes"),
        "shared_bytes": (shared, "bytes"),
        "object_and_share_bytes": (own + shared / count, "bytes"),
        f"object_and_share_of_{MANY}_bytes": (own + shared / MANY, "bytes"),
    }


def sheet(pictures: Mapping[str, HeldOut], scores: Mapping[str, Sequence[Scores]]) -> Image.Image:
    """Of the first objects the view with most holes, or the first: truth beside what was rendered, four a row."""
    cells = [_cell(name, pictures[name], scores[name][0]) for name in list(pictures)[:SHEET]]
    width, height = cells[0].size
    whole = Image.new("RGB", (4 * width, -(-len(cells) // 4) * height), "white")
    for place, cell in enumerate(cells):
        whole.paste(cell, (place % 4 * width, place // 4 * height))
    return whole


def _cell(name: str, seen: HeldOut, score: Scores) -> Image.Image:
    open_ = metrics.holes(seen.opacity, seen.alpha)
    worst = max(range(len(open_)), key=lambda view: open_[view] or 0.0)
    pair = torch.cat([seen.truth[worst], seen.rendered[worst]], 1)
    picture = Image.fromarray((pair.numpy() * 255).round().astype(np.uint8))
    cell = Image.new("RGB", (picture.width + 4, picture.height + CAPTION), "white")
    cell.paste(picture, (0, CAPTION))
    ImageDraw.Draw(cell).text((2, 1), f"{name[:26]} {score.foreground_psnr or 0:.1f} dB", fill="black")
    return cell
