"""`compare --families`: the four systems on the same views of the same objects, each as fitted and with its codec."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from manyfields._checks import POSITIVE, SEED
from manyfields._io import read_json, write_json
from manyfields._lock import only_process
from manyfields._version import __version__
from manyfields.collection import open_collection
from manyfields.errors import ConfigError, RunError
from manyfields.evaluation.costs import with_share
from manyfields.evaluation.report import Comparison, ReportData, Variant, write_report
from manyfields.evaluation.scores import Scores
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.comparisons.common import fit_seconds, named, quality_charts
from manyfields.runs.comparisons.pictures import PictureColumn, family_pictures
from manyfields.runs.compress import compress
from manyfields.runs.evaluate import evaluate
from manyfields.runs.fit import fit
from manyfields.runs.pictures import write_picture
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.reporting import cost_account

FIGURES = "compare.json"
PICTURE = "families.png"
SYSTEMS: dict[str, str | None] = {"fused-planes": "transform", "octree": "vq", "tensorf": "pyramid", "mixture": None}
"""By the preset that a family is fitted with: its codec; None: codes are a few numbers, and stay in float16."""
PLAIN = "float16"

Row = dict[str, Any]


def compare_families(
    data: Path | str,
    *,
    minutes: float,
    out: Path | str,
    families: Sequence[str] = (),
    objects: Sequence[str] = (),
    seed: int = 0,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    coding: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Fit `objects` of `data` (all when none are named) with each family for `minutes`, all objects together, and
    measure each on the same held-out views, from float16 and from its codec's bytes.

    `families`: of SYSTEMS; all when empty. `changes`: settings of `fit` by family, as in a JSON file of settings;
    `coding`: choices of `compress` by family. A run and its compressed collection are folders of `out`; what is there
    already goes on or is kept. Writes compare.json, families.png and report.html.

    Returns one row a family and way to store it: `psnr`, `foreground_psnr` (dB), `ssim`, `lpips`, `holes` and
    `worst_holes` (shares of pixels), mean `object_bytes`, `shared_bytes` (tables of the codec included),
    `bytes_with_shared` (an object's own, and these divided by the `objects` of the comparison), `fit_seconds`
    and, beyond these, `coding_seconds` of all objects, `fps` (views of the data's size a second, of one object). Raises
    ConfigError for a family that is not known, ViewError for an object that is not there, RunError where `out` holds
    figures of other settings, or runs hold out other views.
    """
    POSITIVE.check("minutes", minutes)
    SEED.check("seed", seed)
    names = tuple(dict.fromkeys(families)) or tuple(SYSTEMS)
    if unknown := [name for name in (*names, *(changes or {}), *(coding or {})) if name not in SYSTEMS]:
        raise ConfigError(f"family {unknown[0]!r}: one of {', '.join(SYSTEMS)}")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    asked = {
        "data": str(Path(data).resolve()),
        "minutes": minutes,
        "objects": list(objects),
        "seed": seed,
        "changes": {name: dict(each) for name, each in (changes or {}).items()},
        "coding": {name: dict(each) for name, each in (coding or {}).items()},
    }
    given = json.loads(json.dumps(asked))  # as it is read back: lists in the place of tuples
    with only_process(folder):
        kept = _kept(folder, given)
        write_json(folder / FIGURES, kept)
        for name in names:
            _compare(folder, name, kept, progress, say)
        rows = [row for row in kept["rows"] if row["family"] in names]
        rows.sort(key=lambda row: names.index(row["family"]))
        _write_report(folder, Path(data).name, minutes, names, rows, progress)
    return rows


def _compare(folder: Path, name: str, kept: dict[str, Any], progress: Progress, say: Callable[[str], None]) -> None:
    """Fit one family, or go on with it, and measure it; then what its codec makes of it."""
    given, run = kept["settings"], folder / name
    fit(
        given["data"],
        run,
        minutes=given["minutes"],
        fitting_alone=True,
        objects=given["objects"],
        resume=(run / FILE).exists(),
        preset=name,
        seed=given["seed"],
        report=False,
        progress=named(progress, name),
        say=lambda text: say(f"{name}: {text}"),
        **given["changes"].get(name, {}),
    )
    _same_views(run, kept)
    _add_row(folder, kept, name, PLAIN, named(progress, name))
    codec = SYSTEMS[name]
    if codec is not None:
        told = named(progress, f"{name} by {codec}")
        choices = {"codec": codec, "seed": given["seed"], **given["coding"].get(name, {})}
        compress(run, _place(folder, name, codec), report=False, progress=told, **choices)
        _add_row(folder, kept, name, codec, told)


def _place(folder: Path, name: str, form: str) -> Path:
    return folder / (name if form == PLAIN else f"{name}-coded")


def _kept(folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    """What is measured already. Settings that no run has begun with do not count."""
    path = folder / FIGURES
    begun = any((folder / name / FILE).exists() for name in SYSTEMS)
    kept = read_json(path) if path.exists() else None
    if isinstance(kept, dict) and kept.get("settings") == given:
        for row in kept["rows"]:  # an earlier version did not divide
            whole = with_share(row["object_bytes"], row["shared_bytes"], row["objects"])
            row.setdefault("bytes_with_shared", round(whole, 1))
        return kept
    if begun:
        raise RunError(f"{folder} holds runs of other settings, objects or data: choose another folder")
    return {"settings": given, "held_out": None, "rows": []}


def _same_views(run: Path, kept: dict[str, Any]) -> None:
    """Every run is of the objects of the first one, and holds out the same views of each."""
    record = RunRecord.load(run)
    found = {name: held["views"] for name, held in sorted(record.held_out.items())}
    first = kept["held_out"] = kept["held_out"] or found
    for name in sorted({*found, *first}):
        if found.get(name) != first.get(name):
            raise RunError(
                f"{run}: of object {name} other views are held out than of the families before, or it was set aside; "
                "compare into a new folder, with one held_out for all"
            )


def _add_row(folder: Path, kept: dict[str, Any], name: str, form: str, progress: Progress) -> None:
    """Measure what is not measured yet, and write it down."""
    if any((row["family"], row["stored_as"]) == (name, form) for row in kept["rows"]):
        return
    run = _place(folder, name, form)
    collection, record = open_collection(run), RunRecord.load(run)
    found = evaluate(run, progress=progress)
    progress("costs", 0, 1)
    costs = cost_account(collection, record)
    progress("costs", 1, 1)
    kept["rows"].append(
        {
            "family": name,
            "stored_as": form,
            **found["mean"],
            "object_bytes": round(costs.object_bytes, 1),
            "shared_bytes": costs.shared_bytes + costs.codec_bytes,
            "bytes_with_shared": round(costs.bytes_per_object(len(collection)), 1),
            "fit_seconds": fit_seconds(record),
            "coding_seconds": record.seconds.get("compress"),
            "fps": 1.0 / costs.render_seconds if costs.render_seconds else None,
            "objects": len(collection),
            "steps": sum(phase.steps for phase in [*record.phases1, *record.phases2]),
        }
    )
    write_json(folder / FIGURES, kept)


def _write_report(
    folder: Path, title: str, minutes: float, names: Sequence[str], rows: Sequence[Row], progress: Progress
) -> None:
    named = [(row, row["family"], row["stored_as"]) for row in rows]
    columns = [
        PictureColumn(family, form, _place(folder, family, form), row["object_bytes"], row["bytes_with_shared"])
        for row, family, form in named
    ]
    picture = family_pictures(columns, progress)
    write_picture(folder / PICTURE, picture)
    record = RunRecord.load(folder / names[-1])
    size = "x".join(map(str, record.size))
    note = (
        f"Each family had {minutes:g} minutes for all {rows[0]['objects']} objects together, on the same machine, with "
        "the same seed, views and held-out views. Figures are of stored bytes: in float16, and by the family's codec. "
        "Shared bytes hold the codec's tables, and are divided by the objects in the last column. Time is that of the "
        "fit; coding comes on top of it, for all objects. Codecs of fused planes and octrees learn from views again, "
        "which may improve objects after a short fit."
    )
    comparison = Comparison(
        tuple(_variant(row) for row in rows),
        quality_charts({name: folder / name for name in names}),
        note,
        title="Families",
        picture=picture,
        picture_note=f"The same held-out view of each object ({size} pixels), from stored bytes. Also in {PICTURE}.",
    )
    write_report(
        folder / "report.html",
        ReportData(
            title=f"{title}: the families side by side",
            when=time.strftime("%Y-%m-%dT%H:%M:%S"),
            machine=record.machine,
            version=__version__,
            command=record.command,
            comparison=comparison,
        ),
    )


def _variant(row: Row) -> Variant:
    return Variant(
        f"{row['family']}, {row['stored_as']}",
        Scores(**{name: row.get(name) for name in asdict(Scores())}),
        seconds=row["fit_seconds"],
        coding_seconds=row["coding_seconds"],
        steps=row["steps"] if row["coding_seconds"] is None else None,
        object_bytes=row["object_bytes"],
        shared_bytes=row["shared_bytes"],
        bytes_with_shared=row["bytes_with_shared"],
        objects=row["objects"],
        frames_per_second=row["fps"],
    )
