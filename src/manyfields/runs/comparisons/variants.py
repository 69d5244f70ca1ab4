"""`compare`: variants of the family under one budget of time, on the same views, as in the paper's tables."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyfields._checks import POSITIVE, SEED
from manyfields._io import write_json
from manyfields._lock import only_process
from manyfields._version import __version__
from manyfields.collection import open_collection
from manyfields.errors import ConfigError
from manyfields.evaluation.report import Comparison, ReportData, Variant, write_report
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.families.registry import presets
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.comparisons.common import fit_seconds, named, quality_charts
from manyfields.runs.evaluate import evaluate
from manyfields.runs.fit import fit
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.reporting import cost_account

VARIANTS = ("fused-planes", "tri-planes", "micro-only", "macro-only", "m1", "latent")
PAPER = {
    # name: PSNR (dB), minutes and bytes an object; ICLR 2026, main results and ablation (ShapeNet Cars, one L4 GPU)
    "fused-planes": (27.71, 63.52, 491_520 + 811),  # in RGB space, as ours
    "latent": (30.47, 8.96, 491_520 + 811),
    "tri-planes": (28.15, 64.32, 1_572_864),
    "micro-only": (27.64, 12.84, 1_572_864),
    "macro-only": (29.02, 7.16, 811),
    "m1": (27.69, 8.48, 491_520),
    "m50": (28.64, 8.92, 491_520 + 811),
    "m75": (29.62, 8.99, None),
}


def compare(
    data: Path | str,
    *,
    minutes: float,
    out: Path | str,
    variants: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Fit `data` with each variant for `minutes`, one after the other, and measure each from its stored bytes.

    Each variant is a run of its own in `out`; those that are finished are not fitted again. Writes compare.json and
    report.html. Returns one row a variant. Raises ConfigError for a variant that is not known.
    """
    POSITIVE.check("minutes", minutes)
    SEED.check("seed", seed)
    names = tuple(variants) or VARIANTS
    if unknown := [name for name in names if name not in presets()]:
        raise ConfigError(f"variant {unknown[0]!r}: one of {', '.join(presets())}")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows, shown = [], []
    with only_process(folder):
        for name in names:
            run = folder / name
            resume = (run / FILE).exists()
            fit(
                data,
                run,
                minutes=minutes,
                fitting_alone=True,
                resume=resume,
                preset=name,
                seed=seed,
                progress=named(progress, name),
                **changes,
            )
            row, variant = _measure(run, name)
            rows.append(row)
            shown.append(variant)
            write_json(folder / "compare.json", {"minutes": minutes, "rows": rows})
        charts = quality_charts({name: folder / name for name in names})
        note = f"Each variant had {minutes:g} minutes on the same machine, threads, seed and views, stage 1 included."
        machine = RunRecord.load(folder / names[0]).machine
        title = f"{Path(data).name}: the variants of the family side by side"
        comparison = Comparison(tuple(shown), charts, note)
        write_report(
            folder / "report.html",
            ReportData(
                title=title,
                when=time.strftime("%Y-%m-%dT%H:%M:%S"),
                machine=machine,
                version=__version__,
                command=RunRecord.load(folder / names[-1]).command,
                comparison=comparison,
            ),
        )
    return rows


def _measure(run: Path, name: str) -> tuple[dict[str, Any], Variant]:
    figures = evaluate(run)
    collection, record = open_collection(run), RunRecord.load(run)
    costs = cost_account(collection, record)
    metrics = [collection.entry(item).metrics for item in collection]
    layer0 = mean_scores(
        Scores(psnr=each.get("layer0_psnr"), foreground_psnr=each.get("layer0_foreground_psnr")) for each in metrics
    )
    seconds = fit_seconds(record)
    steps = sum(phase.steps for phase in [*record.phases1, *record.phases2])
    paper_psnr, paper_minutes, paper_bytes = PAPER.get(name, (None, None, None))
    mean = figures["mean"]
    row = {
        "variant": name,
        **mean,
        "layer0_psnr": layer0.psnr,
        "layer0_foreground_psnr": layer0.foreground_psnr,
        "fit_seconds": seconds,
        "steps": steps,
        "object_bytes": costs.object_bytes,
        "shared_bytes": costs.shared_bytes + costs.codec_bytes,
        "objects": len(collection),
        "bytes_with_shared": costs.bytes_per_object(len(collection)),
        "render_ms": None if costs.render_seconds is None else 1000 * costs.render_seconds,
        "paper_psnr": paper_psnr,
    }
    variant = Variant(
        name,
        Scores(**mean),
        layer0,
        seconds,
        steps,
        costs.object_bytes,
        costs.shared_bytes + costs.codec_bytes,
        costs.render_seconds,
        paper_psnr,
        None if paper_minutes is None else 60 * paper_minutes,
        paper_bytes,
        bytes_with_shared=costs.bytes_per_object(len(collection)),
        objects=len(collection),
    )
    return row, variant
