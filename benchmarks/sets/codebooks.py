"""A set by codebooks that it shares: bytes an object, and what they cost in quality, on designs that nothing has seen.

    python -m benchmarks.sets.quality   vehicles --size 128 --work W          # first: the run W/run_vehicles_128
    python -m benchmarks.sets.codebooks record --run W/run_vehicles_128

Codebooks are learned from the designs of stage 1, tables of frequencies from the indices of some of these, as they are
fitted; both are measured on the first designs of *report*, which were added to the run. The two losses are those of
`benchmarks.sets.transform`. Rows go to benchmarks/results/vq_micro.json.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.rows import add_flags, keep, parse
from benchmarks.sets.coded import Bench, Coded
from benchmarks.sets.measured import means
from manyfields.commands._progress import PlainLines
from manyfields.evaluation.record import Record
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.codebooks.distil import Distillation
from manyfields.families.fused_planes.codebooks.settings import STEPS, CodebookSettings

OBJECTS, FOR_TABLES = 8, 8


def rows(bench: Bench, settings: CodebookSettings) -> Iterator[Record]:
    folder = bench.run.with_name(f"{bench.run.name}_codebooks_{settings.steps}")
    progress = PlainLines("codebooks", sys.stderr)
    coded = Coded(bench, folder, VqMicroCodec, settings, progress, first=FOR_TABLES, layers=False)
    scores, seconds = bench.fitted_further(settings.steps, Distillation.rays)
    found = coded.quality() | coded.costs()
    found |= {f"float16_equal_steps.{name}": value for name, value in means(scores.values()).items()}
    found["float16_equal_steps.seconds_per_object"] = (seconds, "s")
    found |= coded.losses("loss_to_equal_steps", scores)
    made = coded.collection.properties["compressed"]
    note = (
        f"{len(bench.measured)} designs that neither the shared part nor the codec has seen; both learned from "
        f"{len(bench.learned_from)} others, tables from {min(FOR_TABLES, len(bench.learned_from))} of these; "
        f"{made['groups']} groups of {'+'.join(map(str, made['bits']))} bits, {made['steps']} steps an object; shared "
        f"bytes by the {len(bench.source)} objects of the run; {torch.get_num_threads()} threads"
    )
    for name, (value, unit) in found.items():
        yield bench.row(f"vq.micro.{name}", value, unit, note, coded.record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("record",))
    parser.add_argument("--run", type=Path, required=True, help="one that `benchmarks.sets.quality` made")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="of designs to report, at most")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each object's indices")
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "vq_micro")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep(given, rows(Bench(given.run, given.objects), CodebookSettings(steps=given.steps)))


if __name__ == "__main__":
    main()
