"""Results of record on the real vehicles (../shared/data): quality, layers, Tri-Planes at equal time, adding an object.

    python -m benchmarks.sets.vehicles views    --work W                # render them once: 160 views of each
    python -m benchmarks.sets.vehicles fit      --work W --minutes 8    # 40 designs: 24 make the shared part, 16 new
    python -m benchmarks.sets.vehicles baseline --work W --minutes 1    # 8 designs: beside Tri-Planes in RGB
    python -m benchmarks.sets.vehicles add      --work W --minutes 1.5  # one new design, beside Tri-Planes on it alone
    python -m benchmarks.sets.vehicles compare  --work W --minutes 1    # the paper's variants on the same 8
    python -m benchmarks.sets.vehicles forty    --work W --minutes 4    # the 40 views each of ../shared/data/renders
    python -m benchmarks.sets.vehicles smoothness --work W --minutes 0.35  # four weights of the smoothness loss

Each step writes its rows to benchmarks/results/vehicles.json from what is stored in the runs under W. One thread count
for all (`--threads`); quote ratios within one machine only.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import torch

from benchmarks.common import curve_of, designs, folder_of, time_to, triplanes
from benchmarks.places import RESULTS, SHARED
from manyfields import runs
from manyfields._io import read_json
from manyfields.collection import open_collection
from manyfields.commands._progress import PlainLines, to_stderr
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.runs import RunRecord, presets, settings_to_json
from manyfields.runs.comparisons.variants import VARIANTS
from manyfields.views.render_set import render_set

ROWS = RESULTS / "vehicles.json"
STAGE1, STAGE2, FEW = 24, 16, 8
STEPS_A_MINUTE = 1500
RATES = (3e-2, 6e-2)  # of Tri-Planes; 1e-2 was far behind both


def fit(work: Path, minutes: float) -> list[Record]:
    data = folder_of(work, "forty", designs(work)[: STAGE1 + STAGE2])
    run = work / "run-forty"
    runs.fit(
        data,
        run,
        minutes=minutes,
        fitting_alone=True,
        stage1_objects=STAGE1,
        resume=run.exists(),
        say=to_stderr,
        progress=PlainLines("fit", sys.stderr),
    )
    whole, coarse, shaped = runs.evaluate(run), runs.evaluate(run, level=1), runs.evaluate(run, level=2)
    record, collection = RunRecord.load(run), open_collection(run)
    note = (
        f"{len(record.stage1)} objects in stage 1, {len(record.stage2)} of other designs in stage 2, "
        "144 + 16 views at 128x128, "
        f"{minutes:g} minutes planned, {torch.get_num_threads()} threads"
    )
    rows = [
        new_record(f"vehicles.fused_planes.{name}", value, unit, note)
        for name, value, unit in (
            ("psnr", whole["mean"]["psnr"], "dB"),
            ("ssim", whole["mean"]["ssim"], ""),
            ("lpips_squeeze", whole["mean"]["lpips"], ""),
            ("foreground_psnr", whole["mean"]["foreground_psnr"], "dB"),
            ("holes", whole["mean"]["holes"], "share"),
            ("worst_holes", whole["mean"]["worst_holes"], "share"),
            ("layer0.psnr", coarse["mean"]["psnr"], "dB"),
            ("layer1.psnr", shaped["mean"]["psnr"], "dB"),
            ("object_bytes", collection.sizes()["per_object"]["layers"], "bytes"),
            ("layer0.bytes", collection.sizes()["per_object"]["layer0"], "bytes"),
            ("shared_bytes", collection.sizes()["shared"], "bytes"),
            ("stage1_seconds", record.seconds["stage1"], "s"),
        )
        if value is not None
    ]
    for stage in ("stage1", "stage2"):
        rows += [
            new_record(f"vehicles.fused_planes.{stage}.psnr", whole["stages"][stage]["psnr"], "dB", note),
            new_record(f"vehicles.fused_planes.{stage}.layer0.psnr", coarse["stages"][stage]["psnr"], "dB", note),
            new_record(f"vehicles.fused_planes.{stage}.layer1.psnr", shaped["stages"][stage]["psnr"], "dB", note),
        ]
    second = sum(v for k, v in record.seconds.items() if k.startswith("stage 2") and "/" not in k)
    rows.append(new_record("vehicles.fused_planes.stage2_seconds_per_object", second / len(record.stage2), "s", note))
    return rows


def baseline(work: Path, minutes: float) -> list[Record]:
    data = folder_of(work, "eight", designs(work)[:FEW])
    # One minute is the time of record; a run of another length stands beside it, in folders and rows of its own.
    length = "" if minutes == 1 else f".minutes_{minutes:g}"
    ours = work / f"run-eight{length}"
    runs.fit(data, ours, minutes=minutes, fitting_alone=True, resume=ours.exists(), report=False)
    psnr = runs.evaluate(ours)["mean"]["psnr"]
    alike = work / f"run-eight{length}-micro-only"
    runs.fit(data, alike, minutes=minutes, fitting_alone=True, preset="micro-only", resume=alike.exists(), report=False)
    strict = runs.evaluate(alike)["mean"]["psnr"]
    qualities = {rate: triplanes(data, work / f"run-eight{length}-triplanes-{rate:g}", minutes, rate) for rate in RATES}
    best = max(qualities, key=lambda rate: qualities[rate])
    reached = time_to(curve_of(ours), max(v for _, v in curve_of(work / f"run-eight{length}-triplanes-{best:g}")))
    spent = RunRecord.load(work / f"run-eight{length}-triplanes-{best:g}").seconds["stage1"]
    tried = ", ".join(f"{rate:g}: {value:.2f} dB" for rate, value in qualities.items())
    note = f"{FEW} vehicles, {minutes:g} minutes each, {torch.get_num_threads()} threads; Tri-Planes by rate: {tried}"
    rows = [
        new_record(f"vehicles.same_time.fused_planes.psnr{length}", psnr, "dB", note),
        new_record(f"vehicles.same_time.triplanes.psnr{length}", qualities[best], "dB", note),
        new_record(f"vehicles.gain_over_triplanes_same_time{length}", psnr - qualities[best], "dB", note),
        new_record(
            f"vehicles.same_time.triplanes_with_all_of_ours.psnr{length}",
            strict,
            "dB",
            f"{note}; preset micro-only: Tri-Planes with hulls, guided and supersampled rays, planes over boxes, ReLU",
        ),
    ]
    if reached is not None:
        text = f"{note}; time of Tri-Planes over that in which fused planes reach its quality (curves, 8 views)"
        rows.append(new_record(f"vehicles.speedup_to_equal_psnr{length}", spent / reached, "x", text))
    return rows


def add(work: Path, minutes: float) -> list[Record]:
    """One new design: `add` against the forty, and Tri-Planes on it alone until `minutes` are over."""
    name = designs(work)[STAGE1 + STAGE2]
    data = folder_of(work, "one", [name])
    run = work / "run-add"
    if not run.exists():
        shutil.copytree(work / "run-forty", run, ignore=shutil.ignore_patterns("checkpoints"))
        began = time.monotonic()
        runs.add(run, data, report=False)
        wall = time.monotonic() - began
        (run / "add-seconds.txt").write_text(str(wall))
    wall = float((run / "add-seconds.txt").read_text())
    psnr = open_collection(run).entry(name).metrics["psnr"]
    alone = work / "run-one-triplanes"
    best = triplanes(data, alone, minutes, 3e-2)
    reached = time_to(curve_of(alone), psnr)
    spent = reached if reached is not None else RunRecord.load(alone).seconds["stage1"]
    bound = "reached it" if reached is not None else f"only reached {best:.2f} dB: a lower bound"
    note = f"{name}: add took {wall:.1f} s, all but the report, for {psnr:.2f} dB; Tri-Planes {bound} in {spent:.0f} s"
    return [
        new_record("vehicles.add.psnr", psnr, "dB", note),
        new_record("vehicles.add.seconds", wall, "s", note),
        new_record("vehicles.add.speedup", spent / wall, "x", note),
    ]


def smoothness(work: Path, minutes: float) -> list[Record]:
    """The same fit with other weights of the smoothness loss: what it does to views that were not trained on.

    With 144 views of each object, and with 32: where there is less to learn from, a prior may matter more. All fits
    take the same number of steps (about `minutes` on one thread), so that no other load on the machine tells.
    """
    steps = round(STEPS_A_MINUTE * minutes)
    stored = settings_to_json(presets()["fused-planes"])
    epochs = sum(phase["epochs"] for phase in stored["stage1"])
    rows = []
    for views, data in ((144, folder_of(work, "eight", designs(work)[:FEW])), (32, rendered(work, "eight-few", FEW))):
        for name, weight in (("none", 0.0), ("a_thousandth", 1e-3), ("a_hundredth", 1e-2), ("a_tenth", 1e-1)):
            run = work / f"run-smoothness-{views}-{name}"
            phases = [
                {**phase, "smoothness": weight, "steps": round(steps * phase["epochs"] / epochs)}
                for phase in stored["stage1"]
            ]
            runs.fit(data, run, stage1=phases, resume=run.exists(), report=False)
            psnr = runs.evaluate(run)["mean"]["psnr"]
            around = f"{FEW} vehicles, {steps} steps"
            note = f"smoothness weight {weight:g}, {views} training views, {around}"
            rows.append(new_record(f"vehicles.smoothness.{name}.views_{views}.psnr", psnr, "dB", note))
    return rows


def rendered(work: Path, name: str, count: int) -> Path:
    """Some vehicles with the 40 views of ../shared/data/renders, as links."""
    data = work / name
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    for item in designs(work)[:count]:
        source = SHARED / "data" / "renders" / "vehicles" / item
        (data / item).symlink_to(source.resolve(), target_is_directory=True)
    return data


def forty_views(work: Path, minutes: float) -> list[Record]:
    """The 40 views an object that ../shared/data/renders holds: 32 to train on, its own 8 test views held out."""
    data = rendered(work, "renders", STAGE1)
    run = work / "run-renders"
    lines = PlainLines("fit", sys.stderr)
    runs.fit(data, run, minutes=minutes, fitting_alone=True, resume=run.exists(), say=to_stderr, progress=lines)
    note = f"{STAGE1} vehicles, 32 + 8 views, {minutes:g} minutes planned, {torch.get_num_threads()} threads"
    return [new_record("vehicles.forty_views.psnr", runs.evaluate(run)["mean"]["psnr"], "dB", note)]


def compare(work: Path, minutes: float) -> list[Record]:
    """The variants of the paper's tables on eight vehicles; a comparison that is finished is only read."""
    data, out = folder_of(work, "eight", designs(work)[:FEW]), work / "compare"
    stored = read_json(out / "compare.json") if (out / "compare.json").exists() else {"minutes": None, "rows": []}
    if stored["minutes"] != minutes or len(stored["rows"]) < len(VARIANTS):
        runs.compare(data, minutes=minutes, out=out)
        stored = read_json(out / "compare.json")
    note = f"{FEW} vehicles, {minutes:g} minutes a variant, stage 1 included, {torch.get_num_threads()} threads"
    units = {
        "psnr": "dB",
        "layer0_psnr": "dB",
        "object_bytes": "bytes",
        "shared_bytes": "bytes",
        "render_ms": "ms",
        "fit_seconds": "s",
    }
    return [
        new_record(f"vehicles.compare.{row['variant'].replace('-', '_')}.{name}", row[name], unit, note)
        for row in stored["rows"]
        for name, unit in units.items()
        if row[name] is not None
    ]


STEPS = {
    "fit": fit,
    "baseline": baseline,
    "add": add,
    "compare": compare,
    "smoothness": smoothness,
    "forty": forty_views,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("views", *STEPS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.step == "views":
        render_set(SHARED / "data" / "models" / "vehicles", arguments.work / "views", views=160, size=128, depth=False)
        return
    for row in write_records(ROWS, STEPS[arguments.step](arguments.work, arguments.minutes)):
        print(f"{row.name:48} {row.value:10.3f} {row.unit:5} {row.note}")


if __name__ == "__main__":
    main()
