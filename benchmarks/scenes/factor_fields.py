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

from benchmarks import rows as records
from benchmarks.common import mean_metric, total_bytes
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.record import Record, new_record
from manyfields.runs import RunRecord, compress, fit, size_breakdown
from manyfields.runs.comparisons.common import fit_seconds
from manyfields.runs.record import FILE

METRICS = {"psnr": "loss_db", "foreground_psnr": "foreground_loss_db"}
"""What is measured, and what its loss is called."""
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
    plain = [new_record(f"{name}.{metric}", mean_metric(run, metric), "dB", note) for metric in METRICS]
    plain.append(new_record(f"{name}.bytes", total_bytes(run), "bytes", f"{note}; float16, with the shared part"))
    yield from records.trained_by(Path(run.path), plain)
    for value in lambdas:
        made = compress(
            Path(run.path), work / f"lambda-{value:g}", codec="transform", price=value, steps=steps, report=False
        )
        spent = RunRecord.load(Path(made.path)).seconds["compress"]
        own = f"{name}.transform.lambda_{slug(value)}"
        how = f"{note}; lambda {value:g}, {steps} steps, coded in {spent:.0f} s"
        yield from coded_rows(own, run, made, how)


def coded_rows(name: str, run: Collection, made: Collection, how: str) -> list[Record]:
    """Of a scene that was compressed: bytes, quality, and what it lost."""
    parts = ", ".join(f"{part} {size:.0f}" for part, size in size_breakdown(made).items())
    rows = [
        new_record(f"{name}.bytes", total_bytes(made), "bytes", f"{how}; {parts}"),
        new_record(f"{name}.ratio", total_bytes(run) / total_bytes(made), "x", how),
    ]
    for metric, loss in METRICS.items():
        here, before = mean_metric(made, metric), mean_metric(run, metric)
        rows += [
            new_record(f"{name}.{metric}", here, "dB", how),
            new_record(f"{name}.{loss}", before - here, "dB", how),
        ]
    return records.trained_by(Path(made.path), rows)


def slug(value: float) -> str:
    """For the name of a row.

    >>> slug(1e-05), slug(0.002)
    ('1em05', '0_002')
    """
    return f"{value:g}".replace("-", "m").replace(".", "_")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--lambdas", type=float, nargs="+", default=list(LAMBDAS))
    parser.add_argument("--steps", type=int, default=STEPS, help="of coding, for each lambda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help=f"say in the notes that it ran beside {BESIDE}")
    records.add_flags(parser, "factor_fields")
    arguments = records.parse(parser)
    torch.set_num_threads(arguments.threads)
    run = fitted(arguments.data, arguments.work / "run", arguments.minutes)
    note = f"{arguments.data.name}, {arguments.threads} threads" + (f", beside {BESIDE}" if arguments.beside else "")
    name = f"{arguments.data.name}.factor_fields"
    records.keep(arguments, rows(name, run, arguments.work, tuple(arguments.lambdas), arguments.steps, note))


if __name__ == "__main__":
    main()
