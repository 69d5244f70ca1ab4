"""The walk at rest beside samples placed by guessed opacities: quality and time of a view.

    python -m benchmarks.sets.quality products --size 256 --work W     # first: the run W/run_products_256
    python -m benchmarks.sets.walk --run W/run_products_256

Held-out views of the first designs of *report* are drawn in each way, in turns of one process. A time is a ratio to
that of 24 guided samples, view by view. Rows go to benchmarks/results/walk.json.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.coded import Bench
from benchmarks.sets.measured import means
from manyfields.commands._progress import to_stderr
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.record import Record
from manyfields.evaluation.scores import Scores, mean_scores, score_views
from manyfields.rendering import Sampler
from manyfields.runs import presets
from manyfields.runs.sources.held_out import held_out_views
from manyfields.shared_part import Pictures

OBJECTS, VIEWS = 6, 3
TIMES = 3  # of which the fastest counts
GUIDED = {"guided_24": Sampler(guided=24, supersampling=2), "guided_96": Sampler(guided=96, supersampling=2)}
BESIDE = "guided_24"


def ways() -> dict[str, Sampler]:
    walk = presets()["fused-planes"].final_sampler
    return {"default": walk, "across_128": replace(walk, across=128), **GUIDED}


@torch.no_grad()
def rows(bench: Bench) -> Iterator[Record]:
    scores: dict[str, list[Scores]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    shared, (lpips, _) = bench.source.shared_part, load_lpips()
    for item, (seen,) in held_out_views(bench.source, bench.record, ids=bench.measured):
        box = torch.as_tensor(item.entry.bounds, dtype=torch.float32)[None]
        code, source = item.code(), bench.all.views[item.entry.id]
        field = shared.family.field(code, None, box)
        of_object: dict[str, list[Scores]] = defaultdict(list)
        for view, name in enumerate(seen.names[:VIEWS]):
            cameras = source.cameras[[source.names.index(name)]][None]
            for way, sampler in ways().items():
                guide = shared.guide(code, box) if way in GUIDED else shared.occupancy(code, box)
                took, drawn = timed(partial(shared.pictures_of, field, cameras, box, sampler, guide=guide))
                image = drawn.images[0].clamp(0, 1).permute(0, 2, 3, 1)
                of_object[way] += score_views(image, seen.truth[[view]], seen.alpha[[view]], lpips, drawn.opacity[0])
                seconds[way].append(took)
        for way, own in of_object.items():
            scores[way].append(mean_scores(own))
        to_stderr(f"{item.entry.id}: " + ", ".join(f"{way} {1000 * seconds[way][-1]:.0f} ms" for way in seconds))
    note = (
        f"{len(bench.measured)} {bench.kind} of designs to report, {len(seconds[BESIDE])} held-out views at "
        f"{'x'.join(map(str, bench.record.size))}, 2 x 2 rays a pixel, {torch.get_num_threads()} threads"
    )
    for way in ways():
        for name, (value, unit) in means(scores[way]).items():
            yield bench.row(f"walk.{way}.{name}", value, unit, note)
        yield bench.row(f"walk.{way}.ms", 1000 * median(seconds[way]), "ms", f"{note}; a view")
        if way != BESIDE:
            ratio = median(here / there for here, there in zip(seconds[way], seconds[BESIDE], strict=True))
            words = f"{note}; over 24 guided samples, median of ratios of the same view within one process"
            yield bench.row(f"walk.{way}.seconds_over_{BESIDE}", ratio, "x", words)


def timed(draw: Callable[[], Pictures]) -> tuple[float, Pictures]:
    """Seconds of the fastest of some times, and what was drawn."""
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        drawn = draw()
        spent.append(time.perf_counter() - began)
    return min(spent), drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="one that `benchmarks.sets.quality` made")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="of designs to report, at most")
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "walk")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep(given, rows(Bench(given.run, given.objects)))


if __name__ == "__main__":
    main()
