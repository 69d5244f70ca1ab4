"""Rows of record that `lego` makes of what `rd` measured: points, curves beside each other, one point by parts."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from manyfields.errors import ConfigError
from manyfields.evaluation.bd import Method, RateCurve, bd_psnr, bd_rate, overlap
from manyfields.evaluation.record import Record, new_record

SMALLER = 20  # times than what is not compressed: where the paper has its own model
KNOBS = {
    "lambda": "lambda",
    "step": "step",
    "bits of a codebook": "bits",
    "share of importance kept": "kept",
    "share of texels left": "left",
}

NAMES = {"pyramid": "transform", "transform": "convolutional"}
"""Of curves in rows: `transform` is the codec that `compress` takes, beside the paper's with its convolutions."""

Point = dict[str, Any]
"""As `rd` keeps it."""


class Interpolated(NamedTuple):
    psnr: float
    between: tuple[Point, Point]
    """The one with fewer bytes first."""


def front(points: Sequence[Point]) -> list[Point]:
    """Points that no other one beats with as few bytes and as high a PSNR, by rising bytes."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point["bytes"], -point["psnr"])):
        if not kept or point["psnr"] > kept[-1]["psnr"]:
            kept.append(point)
    return kept


def psnr_at(points: Sequence[Point], size: float) -> Interpolated | None:
    """PSNR at a size in bytes, on the line between the two points around it over the logarithm of bytes.

    None where no two points are around it.
    """
    kept = front(points)
    for below, above in zip(kept, kept[1:], strict=False):
        if below["bytes"] <= size <= above["bytes"]:
            share = math.log(size / below["bytes"]) / math.log(above["bytes"] / below["bytes"])
            return Interpolated(below["psnr"] + share * (above["psnr"] - below["psnr"]), (below, above))
    return None


def point_rows(kept: dict[str, Any], curves: Sequence[str], note: str) -> list[Record]:
    """Every point of some curves."""
    rows = []
    for name in curves:
        curve = kept["curves"][name]
        for point in curve["points"]:
            start = f"lego.{row_name(name)}.{KNOBS[curve['knob']]}_{_slug(format(point['value'], '.6f').rstrip('0'))}"
            rows += [
                new_record(f"{start}.psnr", point["psnr"], "dB", note),
                new_record(f"{start}.bytes", point["bytes"], "bytes", note),
                new_record(f"{start}.seconds", point["seconds"], "s", f"{note}; from planes and views to the file"),
            ]
    return rows


def delta_rows(name: str, anchor: list[Point], test: list[Point], note: str, method: Method = "cubic") -> list[Record]:
    """`NAME`, with what is put in its one gap: BD-rate, BD-PSNR, and how much of the PSNR the curves share.

    Points that others of their own curve beat are left out, and counted in the note.
    """
    kept = [front(points) for points in (anchor, test)]
    left_out = len(anchor) + len(test) - sum(len(points) for points in kept)
    sides = [
        RateCurve(side, [p["bytes"] for p in points], [p["psnr"] for p in points])
        for side, points in zip(("anchor", "test"), kept, strict=True)
    ]
    note = f"{note}; {method}; {len(kept[0])} and {len(kept[1])} points"
    note += f", {left_out} others left out, which others beat" if left_out else ""
    rows = []
    for what, unit, measure in (("bd_rate", "%", bd_rate), ("bd_psnr", "dB", bd_psnr)):
        try:
            rows.append(new_record(name.format(what), measure(*sides, method), unit, note))
        except ConfigError as error:
            rows.append(new_record(name.format(what), None, unit, f"{note}; none: {error}"))
    return [*rows, new_record(name.format("overlap"), 100 * overlap(*sides), "%", f"{note}; of PSNR")]


def saved_row(name: str, without: list[Point], whole: list[Point], note: str, method: Method = "cubic") -> Record:
    """Bytes that a part of the codec saves at equal PSNR: BD-rate, the other way round."""
    rate, *_ = delta_rows("lego.{}", without, whole, note, method)
    return new_record(name, None if rate.value is None else -float(rate.value), "%", rate.note)


def transform_rows(kept: dict[str, Any], curve: str, name: str, fit_seconds: float, note: str) -> list[Record]:
    """What transform coding is asked to show, of one of its curves, as rows `lego.NAME`."""
    whole, points = kept["uncompressed"], kept["curves"][curve]["points"]
    wanted = whole["bytes"] / SMALLER
    against = f"{note}; uncompressed {whole['bytes']:.0f} B, {whole['psnr']:.3f} dB"
    found = psnr_at(points, wanted)
    if found is None:
        sizes = [point["bytes"] for point in points]
        loss, how = None, f"none: {wanted:.0f} B is not between {min(sizes):.0f} and {max(sizes):.0f} B"
    else:
        named = " and ".join(
            f"{kept['curves'][curve]['knob']} {p['value']:g} ({p['bytes']:.0f} B, {p['psnr']:.3f} dB)"
            for p in found.between
        )
        loss, how = whole["psnr"] - found.psnr, f"between {named} over log bytes"
    seconds = [point["seconds"] for point in points]
    compared = f"{note}; median of {len(seconds)} points, {min(seconds):.0f} to {max(seconds):.0f} s; fit"
    coded = [point for point in points if point["parts"]["latents"]]
    errors = [100 * abs(p["estimated"] / p["parts"]["latents"] - 1) for p in coded if p["estimated"] is not None]
    return [
        new_record(f"lego.{name}.loss_db_at_{SMALLER}x", loss, "dB", f"{against}; {how}"),
        new_record(
            f"lego.{name}.seconds_over_fit", median(seconds) / fit_seconds, "ratio", f"{compared} {fit_seconds:.0f} s"
        ),
        new_record(
            f"lego.{name}.estimate_error_percent",
            max(errors, default=None),
            "%",
            f"{note}; latents, the largest of {len(errors)} points",
        ),
        *_part_rows(min(points, key=lambda point: abs(math.log(point["bytes"] / wanted))), name, note),
    ]


def _part_rows(point: Point, name: str, note: str) -> list[Record]:
    """One point, as the paper's table 3 and by all parts of the file."""
    note = f"{note}; {point['value']:g}, the point nearest to {SMALLER} times smaller"
    parts = point["parts"]
    table = {
        "planes": parts["latents"],
        "decoder": parts.get("decoder", 0) + parts.get("mixes", 0) + parts.get("gains", 0),
    }
    table["other"] = point["bytes"] - sum(table.values())
    rows = [new_record(f"lego.{name}.size.{part}", value, "bytes", note) for part, value in table.items()]
    return rows + [
        new_record(f"lego.{name}.size.parts.{_slug(part)}", value, "bytes", note) for part, value in parts.items()
    ]


def row_name(curve: str) -> str:
    """
    >>> row_name("pyramid"), row_name("transform-no-mask"), row_name("vq-tensorf")
    ('transform', 'convolutional_no_mask', 'vq_tensorf')
    """
    first, *rest = curve.split("-")
    return _slug("-".join([NAMES.get(first, first), *rest]))


def _slug(name: str) -> str:
    """For the name of a row.

    >>> _slug("transform-no-mask"), _slug("0.001"), _slug("8.")
    ('transform_no_mask', '0_001', '8')
    """
    return name.rstrip(".").replace("-", "_").replace(" ", "_").replace(".", "_")
