"""The report of a run: everything it shows is read back from the run folder and its stored bytes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch

from manyfields._version import __version__
from manyfields.cameras import orbit
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.costs import CostAccount, object_seconds
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.report import (
    Chart,
    Curve,
    Dataset,
    Headline,
    ObjectResult,
    Picture,
    PlaneMap,
    ReportData,
    SetAside,
    Split,
    write_report,
)
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.evaluate import held_out_views
from manyfields.runs.measuring import HeldOut, as_bytes
from manyfields.runs.plane_maps import plane_maps
from manyfields.runs.record import RunRecord
from manyfields.views import Problem

OBJECTS_WITH_PICTURES = 48
PICTURES_OF_AN_OBJECT = 2
COUNTS = (100, 1_000, 10_000)


def write_run_report(run: Path | str, *, counts: Sequence[int] = COUNTS, progress: Progress = silent) -> Path:
    """Measure the run from its stored bytes and write RUN/report.html. `counts`: the N of the cost account's totals."""
    folder = Path(run)
    collection, record = open_collection(folder), RunRecord.load(folder)
    path = folder / "report.html"
    write_report(path, run_report(collection, record, counts, progress))
    return path


def run_report(collection: Collection, record: RunRecord, counts: Sequence[int], progress: Progress) -> ReportData:
    """The report's data. LPIPS is absent, with the reason, where its weights are not at hand."""
    lpips, reason = load_lpips()
    objects: list[ObjectResult] = []
    layered = len(collection.shared_part.family.config.coarse_levels) > 0
    gone = _gone(collection, record)
    seen = [name for name in collection if name not in gone]
    for item, levels in held_out_views(collection, record, (None, 1) if layered else (None,), progress, seen):
        held_out = levels[0]
        entry = item.entry
        pictures: tuple[Picture, ...] = ()
        maps: tuple[PlaneMap, ...] = ()
        views = held_out.scores(lpips)
        if len(objects) < OBJECTS_WITH_PICTURES:
            pictures = _pictures(held_out, levels[1] if layered else None, views)
            maps = plane_maps(collection, entry.id)
        objects.append(
            ObjectResult(
                id=entry.id,
                group=entry.group,
                stage=int(entry.metrics.get("stage", 1)),
                train_views=int(record.held_out[entry.id].get("trained", 0)),
                test_views=len(held_out.names),
                scores=mean_scores(views),
                layer0_psnr=entry.metrics.get("layer0_psnr"),
                bytes=entry.bytes,
                pictures=pictures,
                maps=maps,
            )
        )
    objects += [_unseen(collection, record, name) for name in gone]
    progress("report", 0, 1)
    costs = cost_account(collection, record)
    progress("report", 1, 1)
    total = mean_scores(item.scores for item in objects) if objects else Scores()
    layer0 = _mean([item.layer0_psnr for item in objects])
    headline = Headline(
        scores=total,
        layer0_psnr=layer0,
        lpips_reason=reason,
        object_bytes=costs.object_bytes,
        shared_bytes=costs.shared_bytes,
        seconds_per_object=costs.object_seconds_mean or costs.stage1_seconds / max(1, costs.stage1_objects),
        render_seconds=costs.render_seconds,
    )
    return ReportData(
        title=f"{Path(record.data[0]).name}: {len(collection)} objects as {record.settings.preset}",
        when=time.strftime("%Y-%m-%dT%H:%M:%S"),
        machine=record.machine,
        command=record.command,
        version=__version__,
        summary=_summary(record),
        config=asdict(record.settings),
        dataset=_dataset(collection, record),
        headline=headline,
        objects=tuple(objects),
        splits=_splits(objects),
        charts=charts(record),
        costs=costs,
        cost_counts=tuple(counts),
        problems=_told(record, remarks=False),
        remarks=_told(record, remarks=True),
        notes=(*_notes(collection), *_notes_on(gone)),
    )


def _told(record: RunRecord, remarks: bool) -> tuple[SetAside, ...]:
    """What was set aside when views were read, or what was said of objects that were used."""
    found = (Problem(**problem) for problem in record.problems)
    return tuple(SetAside(each.object, each.view, each.message) for each in found if each.remark == remarks)


def _gone(collection: Collection, record: RunRecord) -> dict[str, str]:
    """By object: the folder of its views, where that is gone."""
    folders = {name: record.data[held["source"]] for name, held in record.held_out.items() if held["views"]}
    absent = {folder for folder in set(folders.values()) if not Path(folder).exists()}
    return {name: folders[name] for name in collection if folders.get(name) in absent}


def _unseen(collection: Collection, record: RunRecord, name: str) -> ObjectResult:
    """An object whose views are gone: what was measured of its bytes when they were stored, and no pictures."""
    entry = collection.entry(name)
    return ObjectResult(
        id=name,
        group=entry.group,
        stage=int(entry.metrics.get("stage", 1)),
        train_views=int(record.held_out[name].get("trained", 0)),
        test_views=0,
        scores=Scores(psnr=entry.metrics.get("psnr")),
        layer0_psnr=entry.metrics.get("layer0_psnr"),
        bytes=entry.bytes,
    )


def _notes_on(gone: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"Views at {folder} are gone: there are no pictures of their objects." for folder in {*gone.values()})


@torch.no_grad()
def cost_account(collection: Collection, record: RunRecord) -> CostAccount:
    """What the run cost, measured: training from its record, decoding and rendering now, bytes from the files."""
    sizes = collection.sizes()
    first = collection.ids[0]
    codec = collection.codec
    layers = collection.layers(first)
    decode = _median_seconds(lambda: codec.decode([layers]))
    cameras = orbit(8, width=record.size[0], height=record.size[1])
    item = collection[first]
    render = _median_seconds(lambda: item.render(cameras)) / len(cameras)
    stage2 = len(record.stage2)
    seconds = [time for name, time in record.seconds.items() if name.startswith("stage 2") and "/" not in name]
    per_object = [sum(seconds) / stage2] * stage2 if stage2 and seconds else []
    if "stage2" in record.seconds and stage2:
        per_object = [record.seconds["stage2"] / stage2] * stage2
    return CostAccount(
        stage1_seconds=record.seconds.get("stage1", 0.0),
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
    """Losses by phase, and held-out PSNR during training, over wall time."""
    stages = list(dict.fromkeys(point["stage"] for point in record.curves))
    quality, losses = [], []
    for stage in stages:
        points = [point for point in record.curves if point["stage"] == stage]
        quality.append(_curve(stage, points, "held_out_psnr"))
        losses += [_curve(f"{stage}: {name}", points, name) for name in ("latent", "rgb", "autoencoder")]
    made = []
    if any(curve.values for curve in quality):
        note = "A look at up to four held-out views during training, from floats; final figures come from stored bytes."
        made.append(Chart("Held-out PSNR while fitting", "dB", tuple(c for c in quality if c.values), note=note))
    if any(curve.values for curve in losses):
        made.append(Chart("Losses", "weighted loss", tuple(c for c in losses if len(c.values) > 1), logarithmic=True))
    return tuple(made)


def _curve(name: str, points: list[dict], key: str) -> Curve:
    held = [point for point in points if point.get(key) is not None]
    return Curve(
        name, tuple(p["seconds"] for p in held), tuple(p[key] for p in held), tuple(int(p["step"]) for p in held)
    )


def _pictures(whole: HeldOut, coarse: HeldOut | None, scores: Sequence[Scores]) -> tuple[Picture, ...]:
    truth, rendered = as_bytes(whole.truth).numpy(), as_bytes(whole.rendered).numpy()
    layer0 = None if coarse is None else as_bytes(coarse.rendered).numpy()
    shown = np.linspace(0, len(truth) - 1, min(PICTURES_OF_AN_OBJECT, len(truth))).round().astype(int)
    return tuple(
        Picture(whole.names[i], truth[i], rendered[i], None if layer0 is None else layer0[i], scores[i].psnr)
        for i in shown
    )


def _notes(collection: Collection) -> tuple[str, ...]:
    notes = ("All figures are measured on held-out views, from the bytes stored in the collection.",)
    stored = collection.codec.describe() if "compressed" in collection.properties else ""
    return (*notes, stored) if stored else notes


def _summary(record: RunRecord) -> str:
    n1, n2 = len(record.readable(record.stage1)), len(record.readable(record.stage2))
    second = f"; {n2} more were fitted in stage 2 ({record.settings.policy})" if n2 else ""
    return f"{n1} objects learned the shared part{second}."


def _dataset(collection: Collection, record: RunRecord) -> Dataset:
    views = sum(item["trained"] + len(item["views"]) + len(item.get("aside", ())) for item in record.held_out.values())
    groups = {collection.entry(name).group or name for name in collection}
    share = f"the {record.settings.held_out:.0%} with the smallest SHA-256 of (seed, object, view)"
    rule = f"the data's own test views, else {share}"
    width, height = record.size
    return Dataset(Path(record.data[0]).name, len(collection), views, width, height, rule, len(groups))


def _splits(objects: Sequence[ObjectResult]) -> tuple[Split, ...]:
    names = {1: "stage 1: learned with the shared part", 2: "stage 2: fitted to it"}
    made = []
    for stage, name in names.items():
        held = [item for item in objects if item.stage == stage]
        if held:
            layer0 = _mean([item.layer0_psnr for item in held])
            made.append(Split(name, len(held), mean_scores(item.scores for item in held), layer0))
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
