"""A set by transform coding: bytes an object, and what they cost in quality, on designs that nothing has seen.

    python -m benchmarks.sets.quality vehicles --size 128 --work W                  # first: the run W/run_vehicles_128
    python -m benchmarks.sets.transform record --run W/run_vehicles_128             # at the default lambda
    python -m benchmarks.sets.transform curve  --run W/run_vehicles_128 --lambdas 0.02 0.32

The codec learns from the designs of stage 1, and is measured on the first designs of *report*, which were added to the
run. `loss_db` is against the planes as the run stored them, in float16. The codec fits its latents to the views again,
which alone would gain something: `loss_to_equal_steps_db` is against float16 planes that were given as many steps more.
Bytes are those of files, quality that of what they decode to. `record` measures all of this; `curve` other lambdas,
without the second loss. Collections lie beside the run, and are gone on with. Rows go to benchmarks/results/sets.json.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.coded import Bench, Coded
from benchmarks.sets.measured import means
from manyfields.commands._progress import PlainLines
from manyfields.evaluation.record import Record
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.latents.settings import SetSettings

OBJECTS = 16
DECODED = 20  # times each object, of which the median counts


def rows(bench: Bench, settings: SetSettings, record: bool) -> Iterator[Record]:
    folder = bench.run.with_name(f"{bench.run.name}_transform_{settings.price:g}_{settings.steps}")
    progress = PlainLines("transform", sys.stderr)
    coded = Coded(bench, folder, TransformMicroCodec, settings, progress, layers=record)
    prefix, note = "transform." if record else f"transform.lambda_{settings.price:g}.", note_of(bench, settings)
    found = coded.quality() | coded.costs()
    if record:
        found["decode_ms"] = (1000 * decode_seconds(coded), "ms")
        scores, seconds = bench.fitted_further(settings.steps, settings.rays)
        found |= {f"float16_equal_steps.{name}": value for name, value in means(scores.values()).items()}
        found["float16_equal_steps.seconds_per_object"] = (seconds, "s")
        found |= coded.losses("loss_to_equal_steps", scores)
    for figure, (value, unit) in found.items():
        yield bench.row(prefix + figure, value, unit, note, coded.record)


def note_of(bench: Bench, settings: SetSettings) -> str:
    return (
        f"{len(bench.measured)} designs that neither the shared part nor the codec has seen; both learned from "
        f"{len(bench.learned_from)} others; lambda {settings.price:g}, {settings.steps} steps an object, "
        f"{settings.visits} visits of each that the codec learns from; shared bytes by the {len(bench.source)} objects "
        f"of the run; {torch.get_num_threads()} threads"
    )


def decode_seconds(coded: Coded) -> float:
    """Median over objects of the median of several times, layers to planes, after a first one."""
    found = []
    for name in coded.bench.measured:
        layers, codec, times = coded.collection.layers(name), coded.collection.codec, []
        codec.decode([layers])
        for _ in range(DECODED):
            began = time.perf_counter()
            codec.decode([layers])
            times.append(time.perf_counter() - began)
        found.append(median(times))
    return median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("record", "curve"))
    parser.add_argument("--run", type=Path, required=True, help="one that `benchmarks.sets.quality` made")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="of designs to report, at most")
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0.02, 0.32], help="of the curve")
    parser.add_argument("--steps", type=int, default=SetSettings.steps, help="of each object's latents")
    parser.add_argument("--visits", type=int, default=SetSettings.visits, help="of each object the codec learns from")
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "sets")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    bench, record = Bench(given.run, given.objects), given.step == "record"
    for price in [SetSettings.price] if record else given.lambdas:
        keep(given, rows(bench, SetSettings(price=price, steps=given.steps, visits=given.visits), record))


if __name__ == "__main__":
    main()
