"""The tables that defaults are picked from: samples, starts of weights, phases and features, the image decoder.

    python -m benchmarks.defaults.choices samples      --work W  # after `speed.of_record first`, whose run it reads
    python -m benchmarks.defaults.choices starts       --work W  # likewise
    python -m benchmarks.defaults.choices phases       --work W
    python -m benchmarks.defaults.choices decoder      --work W --minutes 3
    python -m benchmarks.defaults.choices autoencoders --work W --minutes 3 --files A.safetensors B.safetensors

`autoencoders` fits the preset `latent` in each (files of `tools/train_autoencoder.py`), and in the shipped one. Rows go
to benchmarks/results/choices.json.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

from benchmarks.common import designs, folder_of
from benchmarks.places import RESULTS
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.collection.shared_file import open_shared_part, stored_sampler
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.families.fused_planes.phases import rays_stage1, rays_together
from manyfields.families.registry import new_fitter
from manyfields.fitting.data import FittingData, load_views
from manyfields.fitting.phases import Phase
from manyfields.memory import keep_freed_memory
from manyfields.rendering import Sampler
from manyfields.runs import RunRecord, presets
from manyfields.runs.sources.loading import load_objects
from manyfields.runs.sources.looks import held_out_probe
from manyfields.views import composite, read_views

ROWS = RESULTS / "choices.json"
SIXTEEN = "run-sixteen"
VIEWS, OBJECTS = 4, 8
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


def samples(work: Path, minutes: float, files: list[Path]) -> list[Record]:
    """Held-out PSNR and time of a view for more and fewer samples, with the guide and without it."""
    run = work / SIXTEEN
    collection, record = open_collection(run), RunRecord.load(run)
    shared, views = collection.shared_part, read_views(record.data[0])
    rows = []
    for name, sampler in SAMPLERS.items():
        psnr, seconds = 0.0, 0.0
        for item in record.stage1[:OBJECTS]:
            stored, source = collection[item], views[item]
            code, bounds = stored.code(), torch.as_tensor(stored.bounds, dtype=torch.float32)[None]
            held = [source.names.index(view) for view in record.held_out[item]["views"]][:VIEWS]
            rgba, cameras = load_views(source, held, record.size)
            truth = torch.from_numpy(composite(rgba.numpy())).permute(0, 3, 1, 2).float() / 255.0
            with torch.no_grad():
                field = shared.family.field(code, None, bounds)
                way = name.split("_")[0]
                guide = {"walk": shared.occupancy, "guided": shared.guide, "box": lambda *_: None}[way](code, bounds)
                for view in range(VIEWS):
                    began = time.perf_counter()
                    seen = shared.pictures_of(field, cameras[view : view + 1][None], bounds, sampler, guide=guide)
                    seconds += time.perf_counter() - began
                    assert seen.images is not None
                    error = (seen.images[0, 0].clamp(0, 1) - truth[view]).square().mean()
                    psnr -= 10 * float(torch.log10(error))
        count = OBJECTS * VIEWS
        note = f"{OBJECTS} vehicles, {VIEWS} held-out views of 128x128, {torch.get_num_threads()} threads; {sampler}"
        rows.append(new_record(f"choices.samples.{name}.psnr", psnr / count, "dB", note))
        rows.append(new_record(f"choices.samples.{name}.ms", 1000 * seconds / count, "ms", note))
    return rows


def stage2_fitters(run: Path, **changes) -> Iterator[PlaneFitter]:
    """New fitters of the stage-2 objects of a run against its stored shared part, one after the other."""
    record, collection = RunRecord.load(run), open_collection(run)
    views = read_views(record.data[0])
    objects = load_objects([views[name] for name in record.stage2], record)
    while True:
        shared = open_shared_part(collection, with_encoder=collection.config["autoencoder"] is not None)
        settings = replace(record.settings, **changes)
        yield new_fitter(settings, shared, FittingData(objects), average=True)


def curve(fitter: PlaneFitter, phase: Phase, steps: tuple[int, ...]) -> list[tuple[int, float, float]]:
    """(steps done, seconds, held-out PSNR)."""
    sampler = presets()["fused-planes" if fitter.shared.autoencoder is None else "latent"].final_sampler
    probe = held_out_probe(fitter, sampler, tuple(reversed(fitter.data.objects[0].images.shape[-2:])))
    assert probe is not None
    fitter.begin(phase)
    points, spent = [], 0.0
    for index in range(max(steps) + 1):
        if index in steps:
            points.append((index, spent, probe()["held_out_psnr"]))
        began = time.perf_counter()
        fitter.step(phase, index)
        spent += time.perf_counter() - began
    return points


def starts(work: Path, minutes: float, files: list[Path]) -> list[Record]:
    """Layer 0 of new designs while weights alone learn, from the average of stage 1 and from the coloured hull."""
    run = work / SIXTEEN
    rows = []
    for start in ("average", "hull"):
        fitters = stage2_fitters(run, start=start)
        next(fitters)  # reads the views
        began = time.perf_counter()
        fitter = next(fitters)
        made = (time.perf_counter() - began) / len(fitter.data)
        phase = replace(presets()["fused-planes"].stage2[0], steps=80)
        for step, seconds, psnr in curve(fitter, phase, (0, 10, 20, 40, 80)):
            count = len(fitter.data)
            note = f"{count} new designs, weights alone, {seconds:.1f} s of steps, {made:.2f} s an object to start"
            rows.append(new_record(f"choices.starts.{start}.steps_{step}.psnr", psnr, "dB", note))
    return rows


def phases(work: Path, minutes: float, files: list[Path]) -> list[Record]:
    """Stage 1 in which all learns together to the end, and that ends with micro planes alone; and more of their own."""
    data = folder_of(work, "together", designs(work)[:OBJECTS])
    together = rays_together(epochs=0)
    ends = [{**asdict(phase), "steps": steps} for phase, steps in zip(rays_stage1(), (400, 800), strict=True)]
    fits: dict[str, tuple[str, dict, list]] = {
        "together": ("fused-planes", {}, [{**asdict(together), "steps": 800}]),
        "micro_alone": ("fused-planes", {}, ends),
        "micro_16": ("fused-planes", {"micro_features": 16, "macro_features": 16}, ends),
        "micro_26": ("fused-planes", {"micro_features": 26}, ends),
        "nothing_shared": ("micro-only", {}, [{**asdict(together), "steps": 1000}]),
    }
    rows = []
    for name, (preset, changes, stage1) in fits.items():
        run = work / f"run-phases-{name}"
        runs.fit(data, run, preset=preset, stage1=stage1, resume=run.exists(), report=False, **changes)
        sizes, seconds = open_collection(run).sizes(), RunRecord.load(run).seconds["stage1"] / OBJECTS
        steps = " + ".join(str(phase["steps"]) for phase in stage1)
        note = f"{OBJECTS} vehicles, {preset} {changes or ''}, {steps} steps, {torch.get_num_threads()} threads"
        figures = {
            "psnr": (runs.evaluate(run)["mean"]["psnr"], "dB"),
            "seconds_per_object": (seconds, "s"),
            "object_bytes": (sizes["per_object"]["layers"], "bytes"),
        }
        if preset == "fused-planes":
            figures["layer0.psnr"] = runs.evaluate(run, level=1)["mean"]["psnr"], "dB"
        rows += [new_record(f"choices.phases.{name}.{figure}", *value, note) for figure, value in figures.items()]
    return rows


def decoder(work: Path, minutes: float, files: list[Path]) -> list[Record]:
    """Stage 2 of the preset `latent`: whole views and crops through the image decoder, by steps and by time."""
    data = folder_of(work, "sixteen", designs(work)[:16])
    run = work / "run-sixteen-latent"
    runs.fit(
        data,
        run,
        preset="latent",
        minutes=minutes,
        fitting_alone=True,
        stage1_objects=8,
        resume=run.exists(),
        report=False,
    )
    latent, align = presets()["latent"].stage2
    rows, fitters = [], stage2_fitters(run)
    for name, crop in (("whole", 0), ("crop_10", 10), ("crop_6", 6)):
        fitter = next(fitters)
        begin = curve(fitter, replace(latent, steps=150), (0, 150))
        note = f"{len(fitter.data)} new vehicles after 150 steps with the latent loss ({begin[-1][2]:.2f} dB)"
        for step, seconds, psnr in curve(fitter, replace(align, steps=600, crop=crop), (100, 200, 400, 600)):
            rows.append(new_record(f"choices.decoder.{name}.steps_{step}.psnr", psnr, "dB", note))
            rows.append(new_record(f"choices.decoder.{name}.steps_{step}.seconds", seconds, "s", note))
    return rows


def autoencoders(work: Path, minutes: float, files: list[Path]) -> list[Record]:
    """Held-out PSNR and bytes of fields fitted in several latent spaces in the same time."""
    data = folder_of(work, "eight", designs(work)[:8])
    rows = []
    for name in ("compact", *map(str, files)):
        label = Path(name).stem
        run = work / f"run-eight-latent-{label}"
        runs.fit(
            data,
            run,
            preset="latent",
            minutes=minutes,
            fitting_alone=True,
            autoencoder=name,
            resume=run.exists(),
            report=False,
        )
        collection = open_collection(run)
        shared = collection.shared_part
        assert shared.autoencoder is not None
        sizes, sampler = collection.sizes(), stored_sampler(collection)
        note = (
            f"8 vehicles, {minutes:g} minutes, {torch.get_num_threads()} threads; {shared.autoencoder.channels} "
            f"channels at stride {shared.stride}, {sampler.stratified} + {sampler.importance} samples"
        )
        rows += [
            new_record(f"choices.autoencoders.{label}.psnr", runs.evaluate(run)["mean"]["psnr"], "dB", note),
            new_record(f"choices.autoencoders.{label}.shared_bytes", sizes["shared"], "bytes", note),
            new_record(f"choices.autoencoders.{label}.object_bytes", sizes["per_object"]["layers"], "bytes", note),
        ]
    return rows


STEPS = {"samples": samples, "starts": starts, "phases": phases, "decoder": decoder, "autoencoders": autoencoders}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=tuple(STEPS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--files", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    for row in write_records(ROWS, STEPS[arguments.step](arguments.work, arguments.minutes, arguments.files)):
        print(f"{row.name:48} {row.value:10.3f} {row.unit:5} {row.note}")


if __name__ == "__main__":
    main()
