"""The tables that defaults are picked from: samples of a ray, starts of weights, phases and features, image decoder.

    python -m benchmarks.defaults.choices samples --work W
    python -m benchmarks.defaults.choices starts  --work W
    python -m benchmarks.defaults.choices phases  --work W
    python -m benchmarks.defaults.choices decoder --work W --minutes 2

All on vehicles of *tune* (benchmarks/split.py), which no figure of quality is of. `samples` and `starts` share a run;
what is fitted already under W is only read. Rows go to benchmarks/results/choices.json.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.measured import means, measure, sizes
from benchmarks.speed.bench import SIZE, render_vehicles
from benchmarks.split import designs, links_to
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import Record, new_record
from manyfields.evaluation.scores import Scores, mean_scores, score_views
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.families.fused_planes.phases import rays_stage1, rays_together
from manyfields.families.registry import new_fitter
from manyfields.fitting.data import FittingData, load_object, load_views
from manyfields.fitting.phases import Phase
from manyfields.memory import keep_freed_memory
from manyfields.rendering import Sampler
from manyfields.runs import RunRecord, presets
from manyfields.runs.comparisons.common import fit_seconds
from manyfields.views import composite, read_views

VIEWS = 4  # held out, of each object that is looked at
NEW, LOOKED_AT = 4, 4  # objects
SAMPLERS = {
    "guided_8": Sampler(guided=8, supersampling=2),
    "guided_16": Sampler(guided=16, supersampling=2),
    "guided_24": Sampler(guided=24, supersampling=2),
    "guided_32": Sampler(guided=32, supersampling=2),
    "guided_64": Sampler(guided=64, supersampling=2),
    "guided_24_one_ray": Sampler(guided=24),
    "walk_64": Sampler(across=64, supersampling=2),
    "walk_128": Sampler(across=128, supersampling=2),
    "walk_256": Sampler(across=256, supersampling=2),
    "walk_512": Sampler(across=512, supersampling=2),
    "walk_256_one_ray": Sampler(across=256),
    "box_48_48": Sampler(stratified=48, importance=48, supersampling=2),
}


class Vehicles:
    """Vehicles of *tune*: some that shared parts learn from, and a few others."""

    def __init__(self, work: Path, count: int) -> None:
        chosen = designs("vehicles", "tune")
        self.work, self.views = work, work / "vehicles_128"
        self.first, self.new = chosen[:count], chosen[count : count + NEW]
        render_vehicles(self.views, [*self.first, *self.new])
        self.folder = links_to(self.views, work / f"choices-{count}", self.first)

    def fitted(self, name: str, **how) -> Path:
        """A run of those to learn from, gone on with if it is there."""
        run = self.work / f"run-choices-{len(self.first)}-{name}"
        runs.fit(self.folder, run, resume=run.exists(), report=False, **how)
        return run

    def new_fitters(self, run: Path, **changes) -> Iterator[PlaneFitter]:
        """New fitters of the others against the stored shared part of a run, one after the other."""
        record, collection, found = RunRecord.load(run), open_collection(run), read_views(self.views)
        settings = record.settings
        objects = [
            load_object(found[name], record.size, seed=settings.seed, fraction=settings.held_out, hull=settings.hull)
            for name in self.new
        ]
        while True:
            shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
            yield new_fitter(replace(settings, **changes), shared, FittingData(objects), average=True)


def samples(given: argparse.Namespace) -> Iterator[Record]:
    """Held-out PSNR and time of a view for more and fewer samples, with the guide and without it."""
    run = Vehicles(given.work, given.objects).fitted("default")
    collection, record = open_collection(run), RunRecord.load(run)
    shared, views = collection.shared_part, read_views(record.data[0])
    chosen = record.stage1[:LOOKED_AT]
    for name, sampler in SAMPLERS.items():
        scores, seconds = [], 0.0
        for item in chosen:
            stored, source = collection[item], views[item]
            code, bounds = stored.code(), torch.as_tensor(stored.bounds, dtype=torch.float32)[None]
            held = [source.names.index(view) for view in record.held_out[item]["views"]][:VIEWS]
            rgba, cameras = load_views(source, held, record.size)
            with torch.no_grad():
                field = shared.family.field(code, None, bounds)
                way = name.split("_")[0]
                guide = {"walk": shared.occupancy, "guided": shared.guide, "box": lambda *_: None}[way](code, bounds)
                for view in range(VIEWS):
                    began = time.perf_counter()
                    seen = shared.pictures_of(field, cameras[view : view + 1][None], bounds, sampler, guide=guide)
                    seconds += time.perf_counter() - began
                    assert seen.images is not None
                    scores += scored(seen.images[0], rgba[view : view + 1])
        count, size = len(chosen) * VIEWS, f"{SIZE}x{SIZE}"
        note = f"{len(chosen)} vehicles, {VIEWS} held-out views of {size}, {torch.get_num_threads()} threads; {sampler}"
        figures = {**quality_of(scores), "ms": (1000 * seconds / count, "ms")}
        yield from rows_of(f"choices.samples.{name}", figures, note, record)


def scored(images: torch.Tensor, rgba: torch.Tensor) -> list[Scores]:
    """Of rendered images (V, 3, H, W) beside true pictures (V, H, W, 4) in bytes."""
    truth = torch.from_numpy(composite(rgba.numpy())).float() / 255.0
    rendered = images.float().clamp(0, 1).cpu().permute(0, 2, 3, 1)
    return score_views(rendered, truth, rgba[..., 3].float() / 255.0)


def quality_of(scores: list[Scores]) -> dict[str, tuple[float, str]]:
    mean = mean_scores(scores)
    assert mean.psnr is not None and mean.foreground_psnr is not None
    return {"psnr": (mean.psnr, "dB"), "foreground_psnr": (mean.foreground_psnr, "dB")}


def rows_of(
    prefix: str, figures: dict[str, tuple[float, str]], note: str, record: RunRecord, here: bool = False
) -> Iterator[Record]:
    """`here`: what is measured was fitted by this process, against what the run learned."""
    trained = [*record.trained, origin_here()] if here else record.trained
    for name, (value, unit) in figures.items():
        yield new_record(f"{prefix}.{name}", value, unit, note, trained=trained)


def looks(fitter: PlaneFitter, sampler: Sampler) -> Callable[[], dict[str, tuple[float, str]]]:
    """A function that gives the quality of held-out views of some objects as they are now, one ray a pixel."""
    once = replace(sampler, supersampling=1)
    objects = list(enumerate(fitter.data.objects))[:LOOKED_AT]
    seen = [(row, *load_views(item.source, item.test[:VIEWS], (SIZE, SIZE))) for row, item in objects]

    def look() -> dict[str, tuple[float, str]]:
        scores = []
        for row, rgba, cameras in seen:
            drawn = fitter.pictures(row, cameras, once)
            assert drawn.images is not None
            scores += scored(drawn.images[0], rgba)
        return quality_of(scores)

    return look


def curve(
    fitter: PlaneFitter, phase: Phase, steps: tuple[int, ...]
) -> Iterator[tuple[int, dict[str, tuple[float, str]]]]:
    """Steps done, and quality and seconds of steps by then."""
    look = looks(fitter, presets()["fused-planes" if fitter.shared.autoencoder is None else "latent"].final_sampler)
    fitter.begin(phase)
    spent = 0.0
    for index in range(max(steps) + 1):
        if index in steps:
            yield index, {**look(), "seconds": (spent, "s")}
        if index < max(steps):
            began = time.perf_counter()
            fitter.step(phase, index)
            spent += time.perf_counter() - began


def starts(given: argparse.Namespace) -> Iterator[Record]:
    """Layer 0 of new designs while weights alone learn, from the average of stage 1 and from the coloured hull."""
    vehicles = Vehicles(given.work, given.objects)
    run = vehicles.fitted("default")
    record = RunRecord.load(run)
    for start in ("average", "hull"):
        fitters = vehicles.new_fitters(run, start=start)
        next(fitters)  # reads the views
        began = time.perf_counter()
        fitter = next(fitters)
        made = (time.perf_counter() - began) / NEW
        phase = replace(presets()["fused-planes"].stage2[0], steps=80)
        note = (
            f"{NEW} new designs beside {len(vehicles.first)} that the shared part knows, weights alone, "
            f"{VIEWS} held-out views of each while fitting, {made:.2f} s an object to start"
        )
        for step, figures in curve(fitter, phase, (0, 10, 20, 40, 80)):
            yield from rows_of(f"choices.starts.{start}.steps_{step}", figures, note, record, here=True)


def phases(given: argparse.Namespace) -> Iterator[Record]:
    """Stage 1 in which all learns together to the end, and that ends with micro planes alone; and more of their own."""
    vehicles = Vehicles(given.work, given.objects)
    together = rays_together(epochs=0)
    ends = [{**asdict(phase), "steps": steps} for phase, steps in zip(rays_stage1(), (400, 800), strict=True)]
    fits: dict[str, tuple[str, dict, list]] = {
        "together": ("fused-planes", {}, [{**asdict(together), "steps": 800}]),
        "micro_alone": ("fused-planes", {}, ends),
        "micro_16": ("fused-planes", {"micro_features": 16, "macro_features": 16}, ends),
        "micro_26": ("fused-planes", {"micro_features": 26}, ends),
        "nothing_shared": ("micro-only", {}, [{**asdict(together), "steps": 1000}]),
    }
    for name, (preset, changes, planned) in fits.items():
        stage1 = [{**phase, "steps": max(1, round(given.share * phase["steps"]))} for phase in planned]
        run = vehicles.fitted(f"{name}-{given.share:g}", preset=preset, stage1=stage1, **changes)
        record, ids = RunRecord.load(run), vehicles.first
        steps = " + ".join(str(phase["steps"]) for phase in stage1)
        how = f"{preset} {changes}" if changes else preset
        note = f"{len(ids)} vehicles, {how}, {steps} steps, {torch.get_num_threads()} threads"
        levels = (None, 1) if preset == "fused-planes" else (None,)
        scores, _ = measure(run, ids, levels)
        figures = means(each[0] for each in scores.values()) | sizes(open_collection(run), ids)
        figures["seconds_per_object"] = (fit_seconds(record) / len(ids), "s")
        if len(levels) > 1:
            coarse = means(each[1] for each in scores.values())
            figures |= {f"layer0.{figure}": value for figure, value in coarse.items()}
        yield from rows_of(f"choices.phases.{name}", figures, f"{note}, reading, hull and pixels too", record)


def decoder(given: argparse.Namespace) -> Iterator[Record]:
    """Stage 2 of the preset `latent`: whole views and crops through the image decoder, by steps and by time."""
    vehicles = Vehicles(given.work, given.objects)
    run = vehicles.fitted(f"latent-{given.minutes:g}", preset="latent", minutes=given.minutes, fitting_alone=True)
    record = RunRecord.load(run)
    latent, align = presets()["latent"].stage2
    counts = tuple(max(1, round(given.share * steps)) for steps in (50, 100, 200))
    before, fitters = max(1, round(150 * given.share)), vehicles.new_fitters(run)
    for name, crop in (("whole", 0), ("crop_10", 10), ("crop_6", 6)):
        fitter = next(fitters)
        *_, (_, begin) = curve(fitter, replace(latent, steps=before), (before,))
        note = (
            f"{NEW} new vehicles after {before} steps with the latent loss ({begin['psnr'][0]:.2f} dB, foreground "
            f"{begin['foreground_psnr'][0]:.2f}), {given.minutes:g} minutes for the shared part"
        )
        for step, figures in curve(fitter, replace(align, steps=max(counts), crop=crop), counts):
            yield from rows_of(f"choices.decoder.{name}.steps_{step}", figures, note, record, here=True)


STEPS = {"samples": samples, "starts": starts, "phases": phases, "decoder": decoder}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=tuple(STEPS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=8, help="that shared parts learn from")
    parser.add_argument("--minutes", type=float, default=2.0, help="decoder: of the fit of the shared part")
    parser.add_argument("--share", type=float, default=1.0, help="phases, decoder: of all steps, to try something out")
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "choices")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    keep(given, STEPS[given.step](given))


if __name__ == "__main__":
    main()
