"""Factor fields of one scene, and what transform coding of their basis grids makes of them.

    python -m benchmarks.scenes.factor_fields --data captures/lego --work W --minutes 6

Fits the preset `factor-fields` for so many minutes (W/run; one that is there is taken as it is), compresses the run at
three lambdas (W/lambda-L), and measures held-out views from the stored bytes. Bytes are those of the scene with its
shared part, the networks in float16. Neural NeRF Compression (2024), table 7, has the same with the authors' sizes,
which are the preset `factor-fields-paper`. Rows go to benchmarks/results/factor_fields.json.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.common import mean_metric, total_bytes
from benchmarks.places import RESULTS
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.runs import RunRecord, compress, fit, size_breakdown
from manyfields.runs.comparisons.common import fit_seconds
from manyfields.runs.record import FILE

METRICS = {"psnr": "loss_db", "foreground_psnr": "foreground_loss_db"}
"""What is measured, and what its loss is called."""
ROWS = RESULTS / "factor_fields.json"
LAMBDAS = (1e-5, 1e-4, 1e-3)  # those of the paper
STEPS = 300
BESIDE = "other work on the machine"


def fitted(data: Path, folder: Path, minutes: float) -> Collection:
    if (folder / FILE).exists() and RunRecord.load(folder).finished:
        return open_collection(folder)
    resume = (folder / FILE).exists()
    return fit(
        data,
        folder,
        family="factor-fields",
        minutes=None if resume else minutes,
        fitting_alone=True,
        resume=resume,
        report=False,
    )


def rows(name: str, run: Collection, work: Path, lambdas: tuple[float, ...], steps: int, note: str) -> Iterator[Record]:
    """Of the run, then of each lambda."""
    record = RunRecord.load(Path(run.path))
    seconds, of = fit_seconds(record), record.phases1[0].steps
    note = f"{note}; preset {record.settings.preset}, {of} steps, {seconds:.0f} s"
    before = total_bytes(run)
    for metric in METRICS:
        yield new_record(f"{name}.{metric}", mean_metric(run, metric), "dB", note)
    yield new_record(f"{name}.bytes", before, "bytes", f"{note}; float16, with the shared part")
    for value in lambdas:
        made = compress(
            Path(run.path), work / f"lambda-{value:g}", codec="transform", price=value, steps=steps, report=False
        )
        spent = RunRecord.load(Path(made.path)).seconds["compress"]
        own = f"{name}.transform.lambda_{value:g}".replace("-", "m")
        how = f"{note}; lambda {value:g}, {steps} steps, coded in {spent:.0f} s"
        parts = ", ".join(f"{part} {size:.0f}" for part, size in size_breakdown(made).items())
        yield new_record(f"{own}.bytes", total_bytes(made), "bytes", f"{how}; {parts}")
        yield new_record(f"{own}.ratio", before / total_bytes(made), "x", how)
        for metric, loss in METRICS.items():
            here, before_it = mean_metric(made, metric), mean_metric(run, metric)
            yield new_record(f"{own}.{metric}", here, "dB", how)
            yield new_record(f"{own}.{loss}", before_it - here, "dB", how)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--lambdas", type=float, nargs="+", default=list(LAMBDAS))
    parser.add_argument("--steps", type=int, default=STEPS, help="of coding, for each lambda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help=f"say in the notes that it ran beside {BESIDE}")
    parser.add_argument("--results", type=Path, default=ROWS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run = fitted(arguments.data, arguments.work / "run", arguments.minutes)
    note = f"{arguments.data.name}, {arguments.threads} threads" + (f", beside {BESIDE}" if arguments.beside else "")
    name = f"{arguments.data.name}.factor_fields"
    for row in rows(name, run, arguments.work, tuple(arguments.lambdas), arguments.steps, note):
        write_records(arguments.results, [row])
        print(f"{row.name:44} {row.value:12.3f} {row.unit:5} {row.note}", flush=True)


if __name__ == "__main__":
    main()
