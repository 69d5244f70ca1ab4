"""`rd`: rate-distortion curves of codecs on one run, point by point, with Bjontegaard deltas between them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from manyfields._checks import COUNT, NATURAL, SEED
from manyfields._io import read_json, write_json
from manyfields._lock import only_process
from manyfields.errors import ConfigError, RunError
from manyfields.evaluation.bd import Method, RateCurve, bd_psnr, bd_rate
from manyfields.evaluation.origin import origin_here
from manyfields.fitting.progress import Progress, silent
from manyfields.memory import keep_freed_memory
from manyfields.runs.originals import RunObjects
from manyfields.runs.rd.report import write_rd_report
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Sweep

FILE = "rd.json"
UNCOMPRESSED = "uncompressed"


def rd(
    run: Path | str,
    out: Path | str,
    *,
    codec: str = "vq-tensorf",
    values: Sequence[float] = (),
    label: str | None = None,
    objects: Sequence[str] = (),
    views: int | None = None,
    data: Sequence[Path | str] = (),
    seed: int = 0,
    method: Method = "cubic",
    progress: Progress = silent,
    **settings: Any,
) -> dict[str, Any]:
    """Measure a codec at several values of its knob (its own when none are given), as the curve `label` of `out`.

    `codec`: one of the run's family, or a curve that such a codec adds: see `runs.rd.codecs.curve_kinds`.

    Every point is measured on the held-out views of `objects` (all when none are named; `views` of each, evenly
    spread, when given), from files that stay in `out`. `data`: where views are now, if they have moved since the fit.
    `settings`: those of the codec but for its knob, as `compress` takes them; 'transform-pretrained' needs
    `learn_from`, runs of other scenes from which it is learned for each point. Points that are in rd.json of `out`
    already are not made again; other calls add other curves, and deltas are those of all pairs of curves. Returns
    what rd.json holds. Raises ConfigError for a codec or a value without meaning, RunError where `out` holds curves
    of another run, objects or views, or one of that label made otherwise.
    """
    NATURAL.check("values", tuple(values))
    COUNT.check("views", views)
    SEED.check("seed", seed)
    source, folder, name = RdSource.open(Path(run), tuple(objects), views, data), Path(out), label or codec
    sweep = Sweep(source, codec, settings, seed)
    if name == UNCOMPRESSED or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigError(f"label {name!r}: letters, digits, '-', '_' and '.', and not {UNCOMPRESSED!r}")
    folder.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    with only_process(folder):
        kept = _kept(folder, source) | {"shared_by": len(source.collection)}
        made = {"codec": codec, "knob": sweep.kind.knob, "seed": seed, **_made_of(settings, sweep.originals)}
        curve = kept["curves"].setdefault(name, {**made, "points": []})
        if {key: curve.get(key) for key in made} != made:
            raise RunError(f"{folder / FILE} has a curve {name!r} that was made otherwise: choose another label")
        done = {point["value"] for point in curve["points"]}
        missing = sorted({float(value) for value in values or sweep.kind.codec.values} - done)
        if missing:
            curve.setdefault("processes", []).append(asdict(origin_here()))
        for value in missing:
            point = sweep.point(value, folder / name / f"{value:g}", progress)
            made_of = {"parts": dict(point.parts), "seconds": point.seconds, "estimated": point.estimated}
            curve["points"].append({"value": value, "bytes": point.bytes, **asdict(point.scores), **made_of})
            curve["points"].sort(key=lambda point: point["value"])
            _save(folder, kept, method)
        _save(folder, kept, method)
        write_rd_report(folder / "report.html", kept)
    return kept


def _made_of(settings: dict[str, Any], originals: RunObjects) -> dict[str, Any]:
    """What a curve is made of besides codec and seed (JSON): points of other things do not belong to it."""
    made = {"steps": settings.get("steps")}
    if originals.others:
        made["learned_from"] = [other.shared_hash[:16] for other in originals.others]
        made["learn_steps"] = settings.get("learn_steps")
    more = {name: each for name, each in settings.items() if name not in ("steps", "learn_from", "learn_steps")}
    return {**made, "settings": more} if more else made


def _kept(folder: Path, source: RdSource) -> dict[str, Any]:
    """What is there of this run and these objects; else a start with what is not compressed."""
    path = folder / FILE
    of = {"shared": source.collection.shared_hash, "objects": source.objects, "views": source.views_measured}
    if path.exists():
        kept = read_json(path)
        if not isinstance(kept, dict) or kept.get("of") != of:
            raise RunError(f"{path} holds curves of another run, or of other objects or views: choose another folder")
        return kept
    size, scores = source.uncompressed()
    kept = {
        "of": of,
        "run": source.run.resolve().name,
        UNCOMPRESSED: {"bytes": size, **asdict(scores)},
        "curves": {},
        "deltas": [],
    }
    write_json(path, kept)
    return kept


def _save(folder: Path, kept: dict[str, Any], method: Method) -> None:
    kept["method"] = method
    kept["deltas"] = deltas(kept["curves"], method)
    write_json(folder / FILE, kept)


def deltas(curves: dict[str, dict[str, Any]], method: Method) -> list[dict[str, Any]]:
    """Of every pair of curves, both ways: each figure with its overlap (0 to 1), and the reason where there is none.

    By PSNR and, as `foreground_bd_...`, by foreground PSNR where all points of both curves have one.
    """
    by_whole, by_foreground = _rate_curves(curves, "psnr"), _rate_curves(curves, "foreground_psnr")
    rows = []
    for anchor in by_whole:
        for test in by_whole:
            if anchor == test:
                continue
            row: dict[str, Any] = {"anchor": anchor, "test": test}
            row |= _delta(by_whole[anchor], by_whole[test], method)
            if anchor in by_foreground and test in by_foreground:
                inside = _delta(by_foreground[anchor], by_foreground[test], method)
                row |= {f"foreground_{name}": value for name, value in inside.items()}
            rows.append(row)
    return rows


def _rate_curves(curves: dict[str, dict[str, Any]], quality: str) -> dict[str, RateCurve]:
    """Of those that have points, and this quality of all of them."""
    return {
        name: RateCurve(name, [p["bytes"] for p in curve["points"]], [p[quality] for p in curve["points"]])
        for name, curve in curves.items()
        if curve["points"] and all(p.get(quality) is not None for p in curve["points"])
    }


def _delta(anchor: RateCurve, test: RateCurve, method: Method) -> dict[str, Any]:
    rate, psnr = bd_rate(anchor, test, method), bd_psnr(anchor, test, method)
    return {
        "bd_rate_percent": rate.value,
        "bd_rate_overlap": rate.overlap,
        "bd_rate_reason": rate.reason,
        "bd_psnr_db": psnr.value,
        "bd_psnr_overlap": psnr.overlap,
        "bd_psnr_reason": psnr.reason,
    }
