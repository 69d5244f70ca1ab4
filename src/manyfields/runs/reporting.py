"""The report of a run: everything it shows is read back from the run folder and its stored bytes."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import torch

from manyfields._version import __version__
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.costs import CostAccount, object_seconds
from manyfields.evaluation.report import (
    Chart,
    Curve,
    Headline,
    ObjectResult,
    ReportData,
    SetAside,
    Split,
    write_report,
)
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.table import source_of
from manyfields.views import Problem

COUNTS = (100, 1_000, 10_000)
HELD_OUT_CHARTS = {
    "held_out_psnr": "Held-out PSNR while fitting",
    "held_out_foreground_psnr": "Held-out foreground PSNR while fitting",
}
"""Titles, by the figure of a curve's points; runs of older versions have the first alone."""


def write_run_report(run: Path | str, *, counts: Sequence[int] = COUNTS, progress: Progress = silent) -> Path:
    """Measure the run from its stored bytes and write RUN/report.html. `counts`: the N of the cost account's totals."""
    folder = Path(run)
    collection, record = open_collection(folder), RunRecord.load(folder)
    path = folder / "report.html"
    write_report(path, run_report(collection, record, counts, progress))
    return path


def run_report(collection: Collection, record: RunRecord, counts: Sequence[int], progress: Progress) -> ReportData:
    """The report's data. LPIPS is absent, with the reason, where its weights are not at hand."""
    source = source_of(record.settings)
    objects = list(source.results(collection, record, progress))
    progress("report", 0, 1)
    costs = cost_account(collection, record)
    progress("report", 1, 1)
    total = mean_scores(item.scores for item in objects) if objects else Scores()
    headline = Headline(
        scores=total,
        layer0=mean_scores(item.layer0 for item in objects),
        lpips_reason=source.no_lpips(),
        object_bytes=costs.object_bytes,
        shared_bytes=costs.shared_bytes + costs.codec_bytes,
        bytes_with_shared=costs.bytes_per_object(len(collection)),
        objects=len(collection),
        seconds_per_object=costs.object_seconds_mean or costs.stage1_seconds / max(1, costs.stage1_objects),
        render_seconds=costs.render_seconds,
        iou=_mean([item.iou for item in objects]),
    )
    return ReportData(
        title=f"{Path(record.data[0]).name}: {len(collection)} objects as {record.settings.preset}",
        when=time.strftime("%Y-%m-%dT%H:%M:%S"),
        machine=record.machine,
        command=record.command,
        version=__version__,
        summary=_summary(record),
        config=asdict(record.settings),
        dataset=source.dataset(collection, record),
        headline=headline,
        objects=tuple(objects),
        splits=_splits(objects),
        charts=charts(record),
        costs=costs,
        cost_counts=tuple(sorted({len(collection), *counts})),
        problems=_told(record, remarks=False),
        remarks=_told(record, remarks=True),
        notes=(*source.report_notes(collection, record), *_codec_note(collection)),
    )


def _told(record: RunRecord, remarks: bool) -> tuple[SetAside, ...]:
    """What was set aside when views were read, or what was said of objects that were used."""
    found = (Problem(**problem) for problem in record.problems)
    return tuple(SetAside(each.object, each.view, each.message) for each in found if each.remark == remarks)


@torch.no_grad()
def cost_account(collection: Collection, record: RunRecord) -> CostAccount:
    """What the run cost, measured: training from its record, decoding and rendering now, bytes from the files."""
    sizes = collection.sizes()
    first = collection.ids[0]
    codec = collection.codec
    layers = collection.layers(first)
    decode = _median_seconds(lambda: codec.decode([layers]))
    draw, pictures = source_of(record.settings).drawing(collection, first, record)
    render = _median_seconds(draw) / pictures
    stage2 = len(record.stage2)
    seconds = [time for name, time in record.seconds.items() if name.startswith("stage 2") and "/" not in name]
    per_object = [sum(seconds) / stage2] * stage2 if stage2 and seconds else []
    if "stage2" in record.seconds and stage2:
        per_object = [record.seconds["stage2"] / stage2] * stage2
    # Reading its views, its hull, its pixels: what every object takes besides steps.
    before = sum(record.seconds.get(name, 0.0) for name in ("reading", "pixels")) / len(collection)
    per_object = [each + before for each in per_object]
    return CostAccount(
        stage1_seconds=record.seconds.get("stage1", 0.0) + before * len(record.stage1),
        stage1_objects=len(record.stage1),
        shared_bytes=sizes["shared"],
        encoder_bytes=sizes["encoder"],
        object_layer_bytes=_layer_bytes(collection),
        decode_seconds=decode,
        render_seconds=render,
        training_views_per_second=_views_per_second(record),
        codec_bytes=sizes["codec"],
        **object_seconds(per_object),
    )


def _layer_bytes(collection: Collection) -> tuple[float, ...]:
    """Mean bytes of each layer of the stored objects."""
    entries = [collection.entry(name) for name in collection]
    layers = [[end - begin for begin, end in entry.ranges] for entry in entries]
    return tuple(sum(sizes) / len(entries) for sizes in zip_longest(*layers, fillvalue=0))


def charts(record: RunRecord) -> tuple[Chart, ...]:
    """Losses by phase, and both held-out PSNR during training, over wall time."""
    stages = list(dict.fromkeys(point["stage"] for point in record.curves))
    quality: dict[str, list[Curve]] = {}
    losses = []
    for stage in stages:
        points = [point for point in record.curves if point["stage"] == stage]
        for key, title in HELD_OUT_CHARTS.items():
            quality.setdefault(title, []).append(_curve(stage, points, key))
        losses += [_curve(f"{stage}: {name}", points, name) for name in ("latent", "rgb", "autoencoder", "values")]
    made = []
    note = "A look at up to four held-out views during training, from floats; final figures come from stored bytes."
    for title, curves in quality.items():
        if any(curve.values for curve in curves):
            made.append(Chart(title, "dB", tuple(c for c in curves if c.values), note=note))
    if any(curve.values for curve in losses):
        made.append(Chart("Losses", "weighted loss", tuple(c for c in losses if len(c.values) > 1), logarithmic=True))
    return tuple(made)


def _curve(name: str, points: list[dict], key: str) -> Curve:
    held = [point for point in points if point.get(key) is not None]
    return Curve(
        name, tuple(p["seconds"] for p in held), tuple(p[key] for p in held), tuple(int(p["step"]) for p in held)
    )


def _codec_note(collection: Collection) -> tuple[str, ...]:
    """How a compressed collection stores its objects."""
    stored = collection.codec.describe() if "compressed" in collection.properties else ""
    return (stored,) if stored else ()


def _summary(record: RunRecord) -> str:
    n1, n2 = len(record.readable(record.stage1)), len(record.readable(record.stage2))
    second = f"; {n2} more were fitted in stage 2 ({record.settings.policy})" if n2 else ""
    return f"{n1} objects learned the shared part{second}."


def _splits(objects: Sequence[ObjectResult]) -> tuple[Split, ...]:
    names = {1: "stage 1: learned with the shared part", 2: "stage 2: fitted to it"}
    made = []
    for stage, name in names.items():
        held = [item for item in objects if item.stage == stage]
        if held:
            scores, layer0 = (mean_scores(getattr(item, of) for item in held) for of in ("scores", "layer0"))
            made.append(Split(name, len(held), scores, layer0, _mean([item.iou for item in held])))
    return tuple(made) if len(made) > 1 else ()


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _views_per_second(record: RunRecord) -> float | None:
    """Training views a second in the longest phase of stage 1 that renders whole views."""
    if record.settings.space == "rgb":
        return None
    phases = [phase for phase in record.phases1 if record.seconds.get(f"stage1/{phase.name}")]
    if not phases:
        return None
    phase = max(phases, key=lambda item: item.steps)
    per_step = min(phase.objects_per_step, len(record.stage1)) * phase.views_of_a_step(len(record.stage1))
    return phase.steps * per_step / record.seconds[f"stage1/{phase.name}"]


def _median_seconds(work, times: int = 5) -> float:
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return sorted(spent)[times // 2]
