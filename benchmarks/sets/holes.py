"""Pictures at 256 pixels: holes in fitted objects, and what the walk at rest brings for its time.

    python -m benchmarks.sets.holes products --work W --minutes 6  # 16 textured products, one of a design
    python -m benchmarks.sets.holes vehicles --work W --minutes 6  # 12 vehicles, likewise
    python -m benchmarks.sets.holes tuned    --work W --minutes 6  # the products on which sampler and fit were tuned
    python -m benchmarks.sets.holes render   --work W              # the walk beside guided samples, on the first run

Objects are rendered once, 107 views on the sphere at 256 x 256, of which about a tenth is held out; all figures are
those of held-out views from stored bytes. Which objects: the first designs by a hash of their names, so that looks do
not decide; those on which something was tuned have rows of their own, and no part in the others. A sheet of truth,
rendering and opacity, worst view of each object, lies in W beside the runs. Rows go to benchmarks/results/holes.json.
"""

import argparse
import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
from PIL import Image

from benchmarks.places import RESULTS, SHARED
from manyfields import runs
from manyfields._io import read_json
from manyfields.collection import open_collection
from manyfields.commands._progress import PlainLines, to_stderr
from manyfields.evaluation import metrics
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.rendering import Sampler
from manyfields.runs import RunRecord, presets
from manyfields.runs.sources.held_out import HeldOut, held_out_views
from manyfields.shared_part import Pictures
from manyfields.views import ObjectViews, read_views
from manyfields.views.mesh_sources import find_meshes
from manyfields.views.render_set import render_set

ROWS = RESULTS / "holes.json"
COUNTS = {"products": 16, "vehicles": 12}
TUNED = (
    "aws_house_Bed_01", "aws_house_ChairA_01", "aws_house_CookingBench_01", "aws_house_Refrigerator_01",
    "aws_house_SofaB_01", "aws_house_SofaC_01", "aws_house_Tableware_01", "aws_house_Wardrobe_01",
    "aws_store_BookshelfB_01", "aws_store_ChairB_01", "aws_store_DeskB_01", "aws_warehouse_ShelfD_01",
    "gazebo_cafe_table", "ycb_024_bowl", "ycb_027_skillet", "ycb_030_fork", "ycb_033_spatula",
)  # fmt: skip
VIEWS, SIZE = 107, 256
TIMED_OBJECTS, TIMED_VIEWS = 6, 3


def designs(kind: str) -> list[str]:
    """One object of each of the first designs (`group`) by the hash of its name, none that was tuned on."""
    if kind == "tuned":
        return list(TUNED)
    groups = defaultdict(list)
    for entry in read_json(SHARED / "data" / "models" / kind / "manifest.json"):
        if entry["id"] not in TUNED:
            groups[entry["group"]].append(entry["id"])
    order = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return [sorted(groups[name])[0] for name in order[: COUNTS[kind]]]


def fitted(work: Path, kind: str, minutes: float) -> Path:
    """The run of a set, gone on with if it is there."""
    chosen, meshes = set(designs(kind)), SHARED / "data" / "models" / ("products" if kind == "tuned" else kind)
    views, run = work / kind / "views", work / kind / "run"
    sources = [source for source in find_meshes(meshes) if source.id in chosen]
    render_set(
        meshes, views, views=VIEWS, size=SIZE, viewpoints="sphere", depth=False, sources=sources,
        workers=torch.get_num_threads(),
        progress=lambda done, total, name: to_stderr(f"rendered {done}/{total} {name}"),
    )  # fmt: skip
    progress = PlainLines("fit", sys.stderr)
    runs.fit(views, run, minutes=minutes, resume=run.exists(), report=False, say=to_stderr, progress=progress)
    return run


def holes(work: Path, kind: str, minutes: float) -> list[Record]:
    run = fitted(work, kind, minutes)
    figures, record = runs.evaluate(run, progress=PlainLines("eval", sys.stderr)), RunRecord.load(run)
    pictures = {item.entry.id: seen for item, (seen,) in held_out_views(open_collection(run), record)}
    sheet(pictures).save(work / f"{kind}.png")
    note = (
        f"{len(pictures)} objects at {SIZE}x{SIZE}, {minutes:g} minutes planned, "
        f"{record.seconds['stage1']:.0f} s of steps, "
        f"{torch.get_num_threads()} threads"
    )
    for name, scores in figures["objects"].items():
        print(f"{name}: {scores['psnr']:.2f} dB, holes {scores['holes']:.5f}, worst {scores['worst_holes']:.5f}")
    of = figures["mean"]
    return [
        new_record(f"{kind}.holes.mean", of["holes"], "share", note),
        new_record(f"{kind}.holes.worst", of["worst_holes"], "share", f"{note}; the worst held-out view of all"),
        new_record(f"{kind}.holes.psnr", of["psnr"], "dB", note),
        new_record(f"{kind}.holes.foreground_psnr", of["foreground_psnr"], "dB", note),
    ]


def sheet(pictures: dict[str, HeldOut]) -> Image.Image:
    """Of each object the view with most holes: truth, rendering, opacity; four objects a row."""
    strips = []
    for seen in pictures.values():
        found = metrics.holes(seen.opacity, seen.alpha)
        worst = max(range(len(found)), key=lambda view: found[view] or 0.0)
        grey = seen.opacity[worst].unsqueeze(-1).expand(-1, -1, 3)
        strips.append(torch.cat([seen.truth[worst], seen.rendered[worst], grey], 1))
    strips += [torch.ones_like(strips[0])] * (-len(strips) % 4)
    rows = [torch.cat(strips[first : first + 4], 1) for first in range(0, len(strips), 4)]
    return Image.fromarray((torch.cat(rows).numpy() * 255).round().astype(np.uint8))


@torch.no_grad()
def rendering(work: Path) -> list[Record]:
    """The walk beside 24 and 96 samples placed by guessed opacities: quality, and times in turns of one process."""
    run = work / "products" / "run"
    collection, record = open_collection(run), RunRecord.load(run)
    shared, default = collection.shared_part, presets()["fused-planes"].final_sampler
    names = sorted(collection.ids, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:TIMED_OBJECTS]
    ways = {
        "walk": default,
        "walk_128": replace(default, across=128),
        **{f"guided_{n}": Sampler(guided=n, supersampling=2) for n in (24, 96)},
    }
    psnr: dict[str, list[float]] = defaultdict(list)
    holed: dict[str, list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for item, (seen,) in held_out_views(collection, record):
        if item.entry.id not in names:
            continue
        box = torch.as_tensor(item.entry.bounds, dtype=torch.float32)[None]
        code = item.code()
        field = shared.family.field(code, None, box)
        source = views_of(record, item.entry.id)
        for view, name in enumerate(seen.names[:TIMED_VIEWS]):
            cameras = source.cameras[[source.names.index(name)]][None]
            for way, chosen in ways.items():
                guide = shared.guide(code, box) if way.startswith("guided") else shared.occupancy(code, box)
                draw = partial(shared.pictures_of, field, cameras, box, chosen, guide=guide)
                took, drawn = timed(draw)
                image = drawn.images[0].clamp(0, 1).permute(0, 2, 3, 1)
                psnr[way].append(float(metrics.psnr(image, seen.truth[[view]])))
                holed[way].append(metrics.holes(drawn.opacity[0], seen.alpha[[view]])[0] or 0.0)
                seconds[way].append(took)
    note = (
        f"{len(names)} products, {len(seconds['walk'])} held-out views at {SIZE}x{SIZE}, 2 x 2 rays a pixel, "
        f"{torch.get_num_threads()} threads"
    )
    ratio = median(w / g for w, g in zip(seconds["walk"], seconds["guided_24"], strict=True))
    rows = [
        new_record(
            "render.quality_96_samples.seconds_over_default", ratio, "x",
            f"{note}; the walk over 24 guided samples, the old default; median of ratios within one process",
        )
    ]  # fmt: skip
    for way in ways:
        rows += [
            new_record(f"render.{way}.psnr", mean(psnr[way]), "dB", note),
            new_record(f"render.{way}.holes", mean(holed[way]), "share", note),
            new_record(f"render.{way}.ms", 1000 * median(seconds[way]), "ms", f"{note}; a view"),
        ]
    if mean(psnr["walk"]) < mean(psnr["guided_96"]):
        raise SystemExit("the walk is below the quality of 96 guided samples: its time says nothing")
    return rows


def views_of(record: RunRecord, name: str) -> ObjectViews:
    return {item.id: item for item in read_views(record.data[record.held_out[name]["source"]])}[name]


def timed(draw: Callable[[], Pictures]) -> tuple[float, Pictures]:
    """Seconds of the fastest of three, and what was drawn."""
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        drawn = draw()
        spent.append(time.perf_counter() - began)
    return min(spent), drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*COUNTS, "tuned", "render"])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROWS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    made = rendering(options.work) if options.what == "render" else holes(options.work, options.what, options.minutes)
    for row in write_records(options.results, made):
        print(f"{row.name}: {row.value} {row.unit}")


if __name__ == "__main__":
    main()
