"""Rows of record that `lego` makes of what `rd` measured: points, curves beside each other, one point by parts."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, Literal, NamedTuple

from manyfields.evaluation.bd import Method, RateCurve, bd_psnr, bd_rate
from manyfields.evaluation.record import Record, new_record

SMALLER = 20  # times than what is not compressed: where the paper has its own model
KNOBS = {
    "lambda": "lambda",
    "step": "step",
    "bits of a codebook": "bits",
    "share of importance kept": "kept",
    "share of texels left": "left",
}

Quality = Literal["psnr", "foreground_psnr"]
QUALITIES: dict[Quality, str] = {"psnr": "", "foreground_psnr": "foreground_"}
"""And what the names of rows of them begin with: PSNR of whole images never stands alone."""

Point = dict[str, Any]
"""As `rd` keeps it."""


class Interpolated(NamedTuple):
    quality: float
    """In dB."""
    between: tuple[Point, Point]
    """The one with fewer bytes first."""


def front(points: Sequence[Point], quality: Quality = "psnr") -> list[Point]:
    """Points that no other one beats with as few bytes and as high a PSNR, by rising bytes."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point["bytes"], -point[quality])):
        if not kept or point[quality] > kept[-1][quality]:
            kept.append(point)
    return kept


def quality_at(points: Sequence[Point], size: float, quality: Quality = "psnr") -> Interpolated | None:
    """PSNR at a size in bytes, on the line between the two points around it over the logarithm of bytes.

    None where no two points are around it.
    """
    kept = front(points, quality)
    for below, above in zip(kept, kept[1:], strict=False):
        if below["bytes"] <= size <= above["bytes"]:
            share = math.log(size / below["bytes"]) / math.log(above["bytes"] / below["bytes"])
            return Interpolated(below[quality] + share * (above[quality] - below[quality]), (below, above))
    return None


def quality_rows(start: str, scores: dict[str, Any], note: str) -> list[Record]:
    """PSNR, foreground PSNR, and LPIPS where its weights are at hand, of one way to store a scene."""
    rows = [new_record(f"{start}.{name}", scores[name], "dB", note) for name in QUALITIES]
    if scores.get("lpips") is not None:
        rows.append(new_record(f"{start}.lpips", scores["lpips"], "distance", f"{note}; SqueezeNet 1.1"))
    return rows


def point_rows(kept: dict[str, Any], curves: Sequence[str], note: str) -> list[Record]:
    """Every point of some curves."""
    rows = []
    for name in curves:
        curve = kept["curves"][name]
        for point in curve["points"]:
            start = f"lego.{row_name(name)}.{KNOBS[curve['knob']]}_{_slug(format(point['value'], '.6f').rstrip('0'))}"
            rows += [
                *quality_rows(start, point, note),
                new_record(f"{start}.bytes", point["bytes"], "bytes", note),
                new_record(f"{start}.seconds", point["seconds"], "s", f"{note}; from views on disk to the file"),
            ]
    return rows


def delta_rows(
    name: str,
    anchor: list[Point],
    test: list[Point],
    note: str,
    method: Method = "cubic",
    quality: Quality = "psnr",
) -> list[Record]:
    """`NAME`, with what is put in its one gap: BD-rate and BD-PSNR, and the overlap of the curves beside each.

    Points that others of their own curve beat are left out, and counted in the note.
    """
    kept = [front(points, quality) for points in (anchor, test)]
    left_out = len(anchor) + len(test) - sum(len(points) for points in kept)
    sides = [
        RateCurve(side, [p["bytes"] for p in points], [p[quality] for p in points])
        for side, points in zip(("anchor", "test"), kept, strict=True)
    ]
    note = f"{note}; {method}; {len(kept[0])} and {len(kept[1])} points"
    note += f", {left_out} others left out, which others beat" if left_out else ""
    rows = []
    for what, unit, axis, measure in (("bd_rate", "%", "PSNR", bd_rate), ("bd_psnr", "dB", "log bytes", bd_psnr)):
        found, own = measure(*sides, method), name.format(QUALITIES[quality] + what)
        how = f"{note}; overlap {100 * found.overlap:.0f} % of the smaller range of {axis}"
        how += f"; none: {found.reason}" if found.reason else ""
        rows.append(new_record(own, found.value, unit, how))
        rows.append(new_record(f"{own}_overlap", 100 * found.overlap, "%", how))
    return rows


def saved_rows(
    name: str, without: list[Point], whole: list[Point], note: str, method: Method, quality: Quality
) -> list[Record]:
    """Bytes that a part of the codec saves at equal PSNR: BD-rate, the other way round."""
    rate, overlap, *_ = delta_rows("lego.{}", without, whole, note, method, quality)
    own, saved = name.format(QUALITIES[quality]), None if rate.value is None else -float(rate.value)
    return [new_record(own, saved, "%", rate.note), new_record(f"{own}_overlap", overlap.value, "%", rate.note)]


def compared_rows(name: str, anchor: list[Point], test: list[Point], note: str) -> list[Record]:
    """Two curves by PSNR, cubic as in VCEG-M33 and piecewise (which cannot swing), and piecewise by foreground PSNR."""
    return [
        *delta_rows(name, anchor, test, note),
        *delta_rows(f"{name}_pchip", anchor, test, note, "pchip"),
        *delta_rows(f"{name}_pchip", anchor, test, note, "pchip", "foreground_psnr"),
    ]


def codec_rows(kept: dict[str, Any], curve: str, fit_seconds: float, note: str) -> list[Record]:
    """What a codec is asked to show, of one of its curves, as rows `lego.CODEC`."""
    name, points, wanted = row_name(curve), kept["curves"][curve]["points"], kept["uncompressed"]["bytes"] / SMALLER
    seconds = [point["seconds"] for point in points]
    compared = f"{note}; median of {len(seconds)} points, {min(seconds):.0f} to {max(seconds):.0f} s; fit"
    coded = [point for point in points if point["parts"]["latents"]]
    errors = [100 * abs(p["estimated"] / p["parts"]["latents"] - 1) for p in coded if p["estimated"] is not None]
    return [
        *(_loss_row(kept, curve, quality, note) for quality in QUALITIES),
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


def _loss_row(kept: dict[str, Any], curve: str, quality: Quality, note: str) -> Record:
    """What is lost where the file is `SMALLER` times smaller."""
    whole, points = kept["uncompressed"], kept["curves"][curve]["points"]
    wanted = whole["bytes"] / SMALLER
    found = quality_at(points, wanted, quality)
    if found is None:
        sizes = [point["bytes"] for point in points]
        loss, how = None, f"none: {wanted:.0f} B is not between {min(sizes):.0f} and {max(sizes):.0f} B"
    else:
        named = " and ".join(
            f"{kept['curves'][curve]['knob']} {p['value']:g} ({p['bytes']:.0f} B, {p[quality]:.3f} dB)"
            for p in found.between
        )
        loss, how = whole[quality] - found.quality, f"between {named} over log bytes"
    against = f"{note}; uncompressed {whole['bytes']:.0f} B, {whole[quality]:.3f} dB; {how}"
    return new_record(f"lego.{row_name(curve)}.{QUALITIES[quality]}loss_db_at_{SMALLER}x", loss, "dB", against)


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
    """What a curve is called in rows: as at the command line.

    >>> row_name("pyramid"), row_name("transform-no-mask"), row_name("vq-tensorf")
    ('pyramid', 'transform_no_mask', 'vq_tensorf')
    """
    return _slug(curve)


def _slug(name: str) -> str:
    """For the name of a row.

    >>> _slug("transform-no-mask"), _slug("0.001"), _slug("8.")
    ('transform_no_mask', '0_001', '8')
    """
    return name.rstrip(".").replace("-", "_").replace(" ", "_").replace(".", "_")
