"""One captured scene by transform coding, beside VQ-TensoRF and Re:TensoRF: the single-scene results of record.

    python -m benchmarks.scenes.lego fit      --work W          # a tensor field, a run folder W/SIZE
    python -m benchmarks.scenes.lego curves   --work W --run R  # rate-distortion curves of R, in W/rd-NAME_OF_R
    python -m benchmarks.scenes.lego variants --work W --run R  # variants of `transform` at three lambdas, there too

`fit` and `curves` take about half an hour on one thread: one size of field, the codecs `pyramid`, `transform` and
`vq-tensorf`, four points of each of the slow ones, on every fourth of the 200 held-out views. `--sizes` fits more of
them, and names the run to go on with: the smallest model within 0.1 dB of the best. `--codecs` adds curves, `--values`
points, `--views 200` measures on all views.

Codecs are called in rows as at the command line. Models are those of float16 that runs store. Every figure is of
held-out views rendered from what was read back from files. What is there is not made again. `--small` and `--steps 20`
try it all in minutes, as a `--draft`. Rows go to benchmarks/results/lego.json.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import rows as records
from benchmarks.places import SHARED
from benchmarks.scenes.lego_rows import (
    QUALITIES,
    Point,
    codec_rows,
    compared_rows,
    point_rows,
    quality_rows,
    row_name,
    saved_rows,
)
from manyfields import runs
from manyfields.collection import open_collection
from manyfields.commands._progress import progress
from manyfields.errors import RunError
from manyfields.evaluation.origin import Origin
from manyfields.evaluation.record import Record, new_record
from manyfields.fitting.transform.settings import VARIANTS
from manyfields.runs import RunRecord, presets
from manyfields.runs.comparisons.common import fit_seconds

LEGO = SHARED / "data" / "captures" / "lego"
SIZES: dict[str, dict[str, Any]] = {
    "base": {},  # the preset `tensorf` as it is: 128 texels, 16 + 48 components
    "n96": {"last": 96},
    "n160": {"last": 160},
    "small": {"density_components": 8, "appearance_components": 24},
}
TINY = {"first": 16, "last": 32, "hidden": 16, "density_components": 4, "appearance_components": 8}
NEAR = 0.1  # dB from the best model that the uncompressed one may be
VIEWS = 50
CODECS = ("pyramid", "transform")  # those that are compared with the others
BASELINES = ("vq-tensorf", "vq-tensorf-kept", "re-tensorf")
NEEDED = (*CODECS, "vq-tensorf")
WITHOUT = ("no-mask", "no-importance")  # switches with a curve of their own
CURVES = (*CODECS, *BASELINES, *(f"transform-{name}" for name in WITHOUT))
LAMBDAS = (0.0002, 0.001, 0.005)  # of variants: three of those of the curve
FEW: dict[str, tuple[float, ...]] = {
    "transform": (*LAMBDAS, 0.02),
    **{f"transform-{name}": (*LAMBDAS, 0.02) for name in WITHOUT},
    "vq-tensorf": (4, 6, 8, 10),
    "vq-tensorf-kept": (0.1, 0.3, 0.5, 0.7),
    "re-tensorf": (0.1, 0.2, 0.3, 0.5),
}
"""Of codecs that take minutes a point; the pyramid has all of its own."""


class Fitted(NamedTuple):
    size: str
    scores: dict[str, float | None]
    bytes: float
    """Of the scene and its network."""
    seconds: float
    """Of all that a fit takes but measuring: views are read, and what is left of the hull found, before it."""


def fit(work: Path, data: Path, sizes: dict[str, dict[str, Any]], steps: int | None) -> list[Fitted]:
    """Fit tensor fields of some sizes; what is finished is not fitted again, what was interrupted goes on."""
    found = []
    for size, changes in sizes.items():
        out = work / size
        settings: dict[str, Any] = dict(changes)
        if steps is not None:
            settings["stage1"] = [asdict(phase) | {"steps": steps} for phase in presets()["tensorf"].stage1]
        with progress(f"fit {size}") as report:
            runs.fit(
                data,
                out,
                family="tensorf",
                resume=(out / "run.json").exists(),
                report=False,
                progress=report,
                **settings,
            )
        found.append(fitted(out))
    return found


def fitted(run: Path) -> Fitted:
    """Figures of a finished run of one scene."""
    collection, record = open_collection(run), RunRecord.load(run)
    (name,) = collection.ids
    sizes, entry = collection.sizes(), collection.entry(name)
    scores = {**dict.fromkeys(QUALITIES), **entry.metrics}
    return Fitted(run.name, scores, entry.bytes + sizes["shared"], fit_seconds(record))


def uncompressed(found: Sequence[Fitted]) -> Fitted:
    """The smallest model within `NEAR` dB of the best."""
    best = max(model.scores["psnr"] or 0.0 for model in found)
    return min((model for model in found if (model.scores["psnr"] or 0.0) >= best - NEAR), key=lambda each: each.bytes)


def fit_rows(work: Path, found: Sequence[Fitted], note: str) -> list[Record]:
    """The runs are folders of `work`."""
    rows = []
    chosen = uncompressed(found)
    how = f"the smallest of {', '.join(model.size for model in found)} within {NEAR} dB of the best: {chosen.size}"
    named = [(f"tensorf.{model.size}", model, note) for model in found] + [("uncompressed", chosen, f"{note}; {how}")]
    for name, model, text in named:
        own = [
            *quality_rows(f"lego.{name}", model.scores, text),
            new_record(f"lego.{name}.bytes", model.bytes, "bytes", f"{text}; float16, network included"),
            new_record(f"lego.{name}.seconds", model.seconds, "s", f"{text}; reading and hull included"),
        ]
        rows += records.trained_by(work / model.size, own)
    return rows


def sweep(
    run: Path, out: Path, codecs: dict[str, Sequence[float]], steps: int | None, views: int | None
) -> dict[str, Any]:
    """Curves of some codecs at some values (their own where there are none); all that there is now."""
    with progress("rd") as report:
        for codec, values in codecs.items():
            own = {} if steps is None or codec == "pyramid" else {"steps": steps}
            kept = runs.rd(run, out, codec=codec, values=values, views=views, progress=report, **own)
    return kept


def curve_rows(kept: dict[str, Any], fit_seconds: float, note: str) -> list[Record]:
    points: dict[str, list[Point]] = {name: curve["points"] for name, curve in kept["curves"].items() if name in CURVES}
    rows = [
        *quality_rows("lego.curves.uncompressed", kept["uncompressed"], note),
        new_record("lego.curves.uncompressed.bytes", kept["uncompressed"]["bytes"], "bytes", note),
    ]
    for codec in (name for name in CODECS if name in points):
        rows += codec_rows(kept, codec, fit_seconds, note)
        for other in (name for name in BASELINES if name in points):
            rows += compared_rows(f"lego.{codec}.{{}}_vs_{row_name(other)}", points[other], points[codec], note)
    if {"pyramid", "transform"} <= points.keys():
        rows += compared_rows("lego.pyramid.{}_vs_transform", points["transform"], points["pyramid"], note)
    for switch in WITHOUT:
        name, without = switch.removeprefix("no-"), points.get(f"transform-{switch}")
        for quality in QUALITIES if without else ():
            how = f"{note}; of the codec transform at equal {quality}, against {switch}"
            own = f"lego.transform.{name}.{{}}bytes_saved_percent"
            rows += saved_rows(own, without or [], points["transform"], how, "pchip", quality)
    return rows + point_rows(kept, [name for name in CURVES if name in points], note)


def variant_rows(kept: dict[str, Any], variants: Sequence[str], note: str) -> list[Record]:
    """Each variant against the codec itself at the same lambdas."""
    rows = []
    for variant in variants:
        curve = kept["curves"][f"transform-{variant}"]["points"]
        values = {point["value"] for point in curve}
        ours = [point for point in kept["curves"]["transform"]["points"] if point["value"] in values]
        rows += compared_rows(f"lego.{row_name(f'transform-{variant}')}.{{}}_vs_transform", ours, curve, note)
    return rows + point_rows(kept, [f"transform-{variant}" for variant in variants], note)


def learned(kept: dict[str, Any]) -> list[Origin]:
    """The processes that measured the points of some curves. Raises RunError where one does not say."""
    for name, curve in kept["curves"].items():
        if not curve.get("processes"):
            raise RunError(f"the curve {name} does not say what code measured it: measure it again in another folder")
    found = [Origin(**each) for curve in kept["curves"].values() for each in curve["processes"]]
    by_code: dict[tuple[str, str], Origin] = {}
    for each in sorted(found, key=lambda origin: origin.date):
        by_code.setdefault((each.command, each.commit), each)
    return list(by_code.values())


def note_of(run: Path, kept: dict[str, Any], steps: int | None) -> str:
    record = RunRecord.load(run)
    (held,) = record.held_out.values()
    views = kept["of"]["views"] or len(held["views"])
    how = "the codecs' own steps" if steps is None else f"{steps} steps"
    return (
        f"run {run.name}, {record.size[0]}x{record.size[1]}, {views} of {len(held['views'])} held-out views, size S, "
        f"{how}, {torch.get_num_threads()} threads"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("fit", "curves", "variants"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="of curves and variants: a finished run of `fit`")
    parser.add_argument("--data", type=Path, default=LEGO, help="views of one object; the capture if not given")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["small"], help="of fit")
    parser.add_argument("--codecs", nargs="+", choices=CURVES, default=list(NEEDED), help="of curves: to measure now")
    parser.add_argument("--values", type=float, nargs="+", help="of curves of one codec; a few of its own if not given")
    parser.add_argument("--steps", type=int, help="of a fit, or of a point; their own if not given")
    parser.add_argument("--views", type=int, default=VIEWS, help="held-out views that curves are measured on")
    parser.add_argument("--small", action="store_true", help="a tiny field, and few points: to try it")
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "lego")
    given = records.parse(parser, None if arguments is None else list(arguments))
    if given.step != "fit" and given.run is None:
        parser.error(f"{given.step} needs --run: a folder that `fit` made")
    if given.values and len(given.codecs) != 1:
        parser.error("--values are of one codec: name it by --codecs")
    torch.set_num_threads(given.threads)
    if given.step == "fit":
        sizes = {"tiny": TINY} if given.small else {name: SIZES[name] for name in given.sizes}
        found = fit(given.work, given.data, sizes, given.steps)
        rows = fit_rows(given.work, found, f"{given.data.name}, {given.threads} threads")
        print(f"uncompressed: {given.work / uncompressed(found).size}")
    else:
        rows = measured(given)
    records.keep(given, rows)


def measured(given: argparse.Namespace) -> list[Record]:
    """Rows of curves or variants. Of curves only when those that are compared are there."""
    out = given.work / f"rd-{given.run.name}"
    options = {"steps": given.steps, "views": given.views}
    lambdas = LAMBDAS[1:] if given.small else LAMBDAS
    if given.step == "variants":
        variants = [name for name in VARIANTS if name not in WITHOUT]
        codecs = dict.fromkeys(["transform", *(f"transform-{variant}" for variant in variants)], lambdas)
        kept = sweep(given.run, out, codecs, **options)
        rows = variant_rows(kept, variants, note_of(given.run, kept, given.steps))
        return records.trained_by(given.run, rows, learned(kept))
    small = {"pyramid": (0.01, 0.1), "vq-tensorf": (4, 8), "vq-tensorf-kept": (0.3, 0.7), "re-tensorf": (0.1, 0.3)}
    values = {name: small.get(name, lambdas) if given.small else FEW.get(name, ()) for name in given.codecs}
    kept = sweep(given.run, out, values if given.values is None else {given.codecs[0]: given.values}, **options)
    rows = curve_rows(kept, fitted(given.run).seconds, note_of(given.run, kept, given.steps))
    return records.trained_by(given.run, rows, learned(kept))


if __name__ == "__main__":
    main()
