"""`compare --codecs`: what each way to store an octree field costs in quality, on the objects of a folder."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from manyfields._checks import SEED, Bounds
from manyfields._io import read_json, write_json
from manyfields._lock import only_process
from manyfields._version import __version__
from manyfields.errors import ConfigError, RunError
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.report import Comparison, ReportData, Variant, write_report
from manyfields.evaluation.scores import Scores
from manyfields.families.octree.baselines.methods import MEASURED, METHODS, Trial, check_methods
from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.fitting.data import image_size, load_object, load_views
from manyfields.fitting.progress import Progress, silent
from manyfields.memory import keep_freed_memory
from manyfields.runs.sources.loading import digest_of_views
from manyfields.views import ObjectViews, composite, read_views, usable_views

FILE = "codecs.json"
STEPS = 1000
HELD_OUT = 1 / 6
MOST_VIEWS = 10  # held-out views that are measured, at most
PROBES = 10  # times that quality is looked at while features are fitted, on every second of these views
PAPER = {
    # method: PSNR (dB) and bytes of the paper's Tables 2 and 3, means over ten scenes of RTMV, larger than most of ours
    "uncompressed": (32.72, 20_000_000),
    "low_rank8": (29.09, 10_200_000),
    "low_rank4": (26.98, 5_100_000),
    "kmeans6": (27.25, 490_000),
    "kmeans4": (25.02, 330_000),
    "vq6": (30.76, 490_000),
    "vq4": (30.09, 330_000),
    "vq2": (27.59, 172_000),
    "vq1": (25.57, 92_000),
    "hash16": (29.75, 8_400_000),
    "hash14": (28.48, 2_109_000),
    "hash12": (26.66, 536_000),
    "hash10": (23.70, 143_000),
}


def compare_codecs(
    data: Path | str,
    *,
    out: Path | str,
    steps: int = STEPS,
    methods: Sequence[str] = METHODS,
    objects: Sequence[str] = (),
    held_out: float = HELD_OUT,
    seed: int = 0,
    config: OctreeConfig | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Fit octree fields to `objects` of a folder (all when none are named) by each method, and measure what is stored.

    Every method of an object takes `steps` steps from the same seed and views. What is in codecs.json of `out` already
    is not fitted again. Returns one row a method: means over the objects that all methods are done for. Raises
    ConfigError for a method or an object that is not known; RunError where `out` holds figures of other settings.
    """
    SEED.check("seed", seed)
    Bounds(above=0, below=1).check("held_out", held_out)
    check_methods(methods)
    if steps < 10:
        raise ConfigError(f"steps {steps}: at least 10")
    found = usable_views(read_views(data))[0]
    chosen = [found[name] for name in objects] if objects else list(found)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    config = config or OctreeConfig()
    given = {"steps": steps, "seed": seed, "held_out": held_out, "data": str(Path(data).resolve())}
    keep_freed_memory()
    with only_process(folder):
        kept = _kept(folder, given)
        for row, views in enumerate(chosen):
            entry = kept["objects"].setdefault(views.id, {"methods": {}})
            missing = [method for method in methods if method not in entry["methods"]]
            trial = new_trial(views, held_out, seed, steps, config) if missing else None
            if missing:
                entry.setdefault("processes", []).append(asdict(origin_here(digest_of_views(views))))
            for place, method in enumerate(methods):
                if trial is not None and method in missing:
                    before = row * len(methods) + place
                    _fit(trial, method, entry, _part(progress, method, before, len(chosen) * len(methods)))
                    write_json(folder / FILE, kept)
        rows = mean_rows(kept["objects"], [views.id for views in chosen])
        write_json(folder / FILE, {**kept, "rows": rows})
        _report(folder, Path(data).name, steps, len(chosen), rows)
    return rows


def _kept(folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    path = folder / FILE
    if not path.exists():
        return {"settings": given, "objects": {}}
    kept = read_json(path)
    if not isinstance(kept, dict) or kept.get("settings") != given:
        raise RunError(f"{path} holds figures of other settings or data: choose another folder")
    return kept


def new_trial(views: ObjectViews, held_out: float, seed: int, steps: int, config: OctreeConfig) -> Trial:
    """An object with its training views, and the held-out ones to measure on. Raises ConfigError, ViewError."""
    size = image_size([views], 1)
    item = load_object(views, size, seed=seed, fraction=held_out, hull=config.guide_side)
    if not item.test:
        raise ConfigError(f"object {views.id}: no views are held out, so nothing can be measured; it needs more views")
    test = item.test[:: math.ceil(len(item.test) / MOST_VIEWS)]
    rgba, cameras = load_views(views, test, size)
    truth, alpha = torch.from_numpy(composite(rgba.numpy())).float() / 255.0, rgba[..., 3].float() / 255.0
    return Trial(item, truth, alpha, cameras, config, steps, seed)


def _part(progress: Progress, name: str, before: int, parts: int) -> Callable[[int, int], None]:
    """Progress of one of equal parts as that of the whole."""

    def tell(done: int, total: int) -> None:
        progress(name, before * total + done, parts * total)

    return tell


def _fit(trial: Trial, method: str, entry: dict[str, Any], tell: Callable[[int, int], None]) -> None:
    curve = []

    def after_step(done: int, fitter: OctreeFitter) -> None:
        tell(done, trial.steps)
        if method == "uncompressed" and done % max(1, trial.steps // PROBES) == 0:
            curve.append(trial.quality(fitter.shared.family, fitter.codes[0].table.detach(), every=2).psnr)

    family, code, seconds = trial.fit(method, after_step)
    for name, figures in trial.measure(family, code).items():
        entry["methods"][name or method] = figures
    entry["methods"][method] |= {"seconds": seconds}
    if curve:
        entry["methods"][method]["curve"] = curve
    entry |= {"corners": trial.tree.corner_counts, "train_views": len(trial.item.train), "views": len(trial.truth)}
    entry["size"] = list(trial.truth.shape[2:0:-1])


def mean_rows(objects: dict[str, Any], ids: Sequence[str]) -> list[dict[str, Any]]:
    """Means of each method over objects that have been fitted by it all; losses against the uncompressed field."""
    rows = []
    methods = [objects[name]["methods"] for name in ids]
    for method in dict.fromkeys(name for each in methods for name in each):
        if not all(method in each for each in methods):
            continue
        found = [each[method] for each in methods]
        row: dict[str, Any] = {"method": method, **{name: _mean(found, name) for name in MEASURED}}
        whole = [each["uncompressed"] for each in methods if "uncompressed" in each]
        for loss, name in (("loss_db", "psnr"), ("foreground_loss_db", "foreground_psnr")):
            best = _mean(whole, name) if len(whole) == len(methods) and method != "uncompressed" else None
            row[loss] = None if best is None or row[name] is None else best - row[name]
        for key in ("paper_bytes", "paper_ratio", "bytes", "ratio", "coded_bytes", "coded_ratio", "seconds"):
            row[key] = _mean(found, key)
        row["paper_psnr"] = PAPER.get(method, (None, None))[0]
        rows.append(row)
    return rows


def _mean(found: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [each[key] for each in found if each.get(key) is not None]
    return sum(values) / len(values) if len(values) == len(found) else None


def _report(folder: Path, name: str, steps: int, objects: int, rows: Sequence[dict[str, Any]]) -> None:
    variants = [
        Variant(
            row["method"],
            Scores(**{name: row[name] for name in MEASURED}),
            seconds=row["seconds"],
            steps=steps,
            object_bytes=row["coded_bytes"] or row["paper_bytes"],
            bytes_with_shared=row["coded_bytes"] or row["paper_bytes"],
            objects=1,
            paper_psnr=row["paper_psnr"],
            paper_object_bytes=PAPER.get(row["method"], (None, None))[1],
        )
        for row in rows
    ]
    note = (
        f"Means over {objects} objects, {steps} steps for each method, held-out views from decoded bytes. Bytes of vq "
        "methods are every byte, entropy coded; of the others features or codebooks and the network. Nothing is shared."
    )
    write_report(
        folder / "report.html",
        ReportData(
            title=f"{name}: ways to store an octree field",
            when=time.strftime("%Y-%m-%dT%H:%M:%S"),
            machine=describe_machine().line,
            version=__version__,
            comparison=Comparison(tuple(variants), note=note),
        ),
    )
