"""The sections of a report, each an HTML fragment, or an empty string where its data is absent."""

import json
from collections.abc import Sequence
from html import escape

from manyfields.evaluation.report.data import (
    Comparison,
    ObjectResult,
    Picture,
    PlaneMap,
    ReportData,
    SetAside,
    Split,
    Variant,
)
from manyfields.evaluation.report.figures import histogram, line_chart
from manyfields.evaluation.report.pictures import ERROR_FULL_SCALE, data_uri, error_map, error_scale_css
from manyfields.evaluation.report.sizes import SCORE_COLUMNS, UNJUDGED_SCORES, sharing
from manyfields.evaluation.report.tables import Column, decimals, percent, table
from manyfields.evaluation.scores import Scores
from manyfields.evaluation.units import format_bytes, format_seconds, shared_by


def section(title: str, body: str, lead: str = "") -> str:
    if not body:
        return ""
    lead = f"<p class=lead>{escape(lead)}</p>" if lead else ""
    return f"<section><h2>{escape(title)}</h2>{lead}{body}</section>"


def header(data: ReportData) -> str:
    """Title, what was learned from, and where this page comes from."""
    parts = []
    if set_ := data.dataset:
        groups = f" in {set_.groups:,} groups" if set_.groups is not None else ""
        parts.append(
            f"{set_.name}: {set_.objects:,} object{'s' if set_.objects != 1 else ''}{groups}, {set_.what}. "
            f"Held out: {set_.held_out}."
        )
    paragraphs = "".join(f"<p class=lead>{escape(text)}</p>" for text in (data.summary, *parts) if text)
    origin = (("when", data.when), ("machine", data.machine), ("command", data.command), ("manyfields", data.version))
    rows = "".join(
        f"<dt>{name}</dt><dd>{f'<code>{escape(value)}</code>' if name == 'command' else escape(value)}</dd>"
        for name, value in origin
        if value
    )
    return f"<header><h1>{escape(data.title)}</h1>{paragraphs}<dl class=origin>{rows}</dl></header>"


def headline(data: ReportData) -> str:
    """The figures that a colleague asks for first."""
    if data.headline is None:
        return ""
    top, scores = data.headline, data.headline.scores

    def fixed(value: float | None, places: int, unit: str = "") -> str:
        return "" if value is None else f"{value:.{places}f}{f' {unit}' if unit else ''}"

    measured_on = "whole image, held-out views" if has_held_out(data) else "whole, at every cell of the grid"
    inside = fixed(top.layer0.foreground_psnr, 2, "dB")
    first = f"from the first bytes alone{f'; foreground {inside}' if inside else ''}"
    no_lpips = "null" if top.lpips_reason else ""
    tiles = (
        ("PSNR", fixed(scores.psnr, 2, "dB"), measured_on),
        ("foreground PSNR", fixed(scores.foreground_psnr, 2, "dB"), "pixels of the object alone"),
        ("holes", "" if scores.holes is None else percent(scores.holes), "of the pixels well inside the object"),
        ("IoU", fixed(top.iou, 4), "voxels solid in both, of those in either"),
        ("layer 0 PSNR", fixed(top.layer0.psnr, 2, "dB"), first),
        ("SSIM", fixed(scores.ssim, 4), "1 is identical"),
        ("LPIPS", fixed(scores.lpips, 4) or no_lpips, top.lpips_reason or "squeeze, 0 is identical"),
        ("bytes an object", format_bytes(top.object_bytes), "its own, all layers"),
        ("shared part", format_bytes(top.shared_bytes), "once for all objects"),
        ("bytes an object", format_bytes(top.bytes_with_shared), shared_by(top.objects or 1)),
        ("time an object", format_seconds(top.seconds_per_object), "to fit one more"),
        ("render", format_seconds(top.render_seconds), "one view"),
    )  # fmt: skip
    return "<div class=tiles>" + "".join(
        f"<div class=tile><span>{name}</span><strong>{_split_unit(value)}</strong><small>{escape(note)}</small></div>"
        for name, value, note in tiles
        if value not in ("", "–")
    ) + "</div>"  # fmt: skip


def pictures(objects: Sequence[ObjectResult]) -> str:
    """Best, median and worst object by foreground PSNR (by PSNR where it has none) in full, all others folded away."""
    shown = [(_rank(o.scores), o) for o in objects if o.pictures]
    ranked = [o for _, o in sorted(shown, key=lambda pair: (pair[0] is None, -(pair[0] or 0.0), pair[1].id))]
    if not ranked:
        return ""
    picks = {"best": 0, "median": (len(ranked) - 1) // 2, "worst": len(ranked) - 1}
    featured: dict[int, list[str]] = {}
    for word, index in picks.items():
        featured.setdefault(index, []).append(word)
    first = "".join(_object(ranked[i], " and ".join(words), True) for i, words in sorted(featured.items()))
    rest = [o for i, o in enumerate(ranked) if i not in featured]
    folded = ""
    if rest:
        cards = "".join(_object(o, "", False) for o in rest)
        folded = f"<details><summary>All other objects ({len(rest):,}), best first</summary>{cards}</details>"
    legend = (
        f"<p class=note>Error: mean absolute difference, 0 <i class=scale style='background:{error_scale_css()}'></i> "
        f"{ERROR_FULL_SCALE} of 255 and more; the same scale in all pictures.</p>"
    )
    return first + legend + folded


def _rank(scores: Scores) -> float | None:
    """White around a small object lifts PSNR."""
    return scores.psnr if scores.foreground_psnr is None else scores.foreground_psnr


def has_held_out(data: ReportData) -> bool:
    """Whether objects are measured on views of theirs that they were not fitted to."""
    return not data.objects or any(item.test_views is not None for item in data.objects)


def quality(data: ReportData) -> str:
    """How quality is spread over objects, and over those the shared part has and has not been learned from."""
    whole = [o.scores.psnr for o in data.objects if o.scores.psnr is not None]
    inside = [o.scores.foreground_psnr for o in data.objects if o.scores.foreground_psnr is not None]
    columns: tuple[Column, ...] = (
        Column("objects of", lambda row: row.name, text=True),
        Column("objects", lambda row: row.objects, decimals(0)),
        *UNJUDGED_SCORES,
    )
    splits: Sequence[Split] = data.splits
    rows = table(columns, splits) if splits else ""
    drawn = histogram(inside, "Objects by foreground PSNR", "dB") + histogram(whole, "Objects by PSNR", "dB")
    return rows + (f"<div class=charts>{drawn}</div>" if drawn else "")


def charts(data: ReportData) -> str:
    drawn = "".join(line_chart(chart) for chart in data.charts)
    return f"<div class=charts>{drawn}</div>" if drawn else ""


def comparison(found: Comparison | None) -> str:
    """Variants side by side, the paper's figures beside ours."""
    if found is None or not found.variants:
        return ""
    name = Column("variant", lambda v: v.name, text=True)
    measured = (
        name,
        *SCORE_COLUMNS,
        Column("time", lambda v: v.seconds, format_seconds, "in all"),
        Column("steps", lambda v: v.steps, decimals(0)),
        Column("coding", lambda v: v.coding_seconds, format_seconds, "in all"),
        Column("render", lambda v: v.render_seconds, format_seconds, "a view", "low"),
        Column("fps", lambda v: v.frames_per_second, decimals(2), "views a second", "high"),
        Column("bytes", lambda v: v.object_bytes, format_bytes, "an object, its own"),
        Column("shared", lambda v: v.shared_bytes, format_bytes, "once"),
        Column("bytes", lambda v: v.bytes_with_shared, format_bytes, f"an object, {sharing(found.variants)}", "low"),
    )
    beside = (
        name,
        Column("here", lambda v: v.scores.psnr, decimals(2), "PSNR, dB"),
        Column("here", lambda v: v.scores.foreground_psnr, decimals(2), "foreground PSNR, dB"),
        Column("paper", lambda v: v.paper_psnr, decimals(2), "PSNR, dB"),
        Column("here", lambda v: v.object_bytes, format_bytes, "own bytes of an object"),
        Column("paper", lambda v: v.paper_object_bytes, format_bytes, "own bytes of an object"),
        Column("paper", lambda v: v.paper_object_seconds, format_seconds, "time an object"),
    )
    variants: Sequence[Variant] = found.variants
    note = f"<p class=note>{escape(found.note)}</p>" if found.note else ""
    remarks = "".join(f"<li>{escape(v.name)}: {escape(v.note)}</li>" for v in variants if v.note)
    remarks = f"<ul class=notes>{remarks}</ul>" if remarks else ""
    quoted = [v for v in variants if (v.paper_psnr, v.paper_object_bytes, v.paper_object_seconds) != (None, None, None)]
    caution = "<p class=note>The paper's objects are ShapeNet's, on NVIDIA L4 GPUs: compare orders, not digits.</p>"
    paper = f"<h3>Beside the paper's own figures</h3>{table(beside, quoted)}{caution}" if quoted else ""
    drawn = "".join(line_chart(chart) for chart in found.charts)
    drawn = f"<div class=charts>{drawn}</div>" if drawn else ""
    return table(measured, variants) + note + remarks + _sheet(found) + drawn + paper


def _sheet(found: Comparison) -> str:
    if found.picture is None:
        return ""
    height, width = found.picture.shape[:2]
    source, words = data_uri(found.picture), escape(found.picture_note)
    return (
        f'<figure class=sheet><img src="{source}" width={width} height={height} alt="{words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def problems(found: Sequence[SetAside]) -> str:
    columns = (
        Column("object", lambda row: row.object, text=True),
        Column("view", lambda row: row.view or "whole object", text=True),
        Column("why", lambda row: row.message, text=True),
    )
    return table(columns, found) if found else ""


def notes(data: ReportData) -> str:
    return "<ul class=notes>" + "".join(f"<li>{escape(n)}</li>" for n in data.notes) + "</ul>" if data.notes else ""


def config(data: ReportData) -> str:
    if not data.config:
        return ""
    text = escape(json.dumps(dict(data.config), indent=2, default=str))
    return f"<details><summary>All settings of this run</summary><pre>{text}</pre></details>"


def _object(result: ObjectResult, rank: str, lossless: bool) -> str:
    scores = result.scores
    facts = [f"<b>{_both(scores.psnr, scores.foreground_psnr)}</b>"] if scores.psnr is not None else []
    facts += [f"stage {result.stage}"] + (
        [f"{format_bytes(result.bytes)} of its own"] if result.bytes is not None else []
    )
    badge = f"<span class=rank>{rank}</span>" if rank else ""
    rows = "".join(_views(picture, lossless) for picture in result.pictures) + _maps(result.maps)
    return (
        f"<article class=object><h3>{badge}{escape(result.id)}<small>{' · '.join(facts)}</small></h3>{rows}</article>"
    )


def _views(picture: Picture, lossless: bool) -> str:
    images = [("truth", picture.truth), ("render", picture.render), ("error", error_map(picture.truth, picture.render))]
    if picture.layer0 is not None:
        images.append(("layer 0 alone", picture.layer0))
    quality = f" · {_both(picture.psnr, picture.foreground_psnr)}" if picture.psnr is not None else ""
    cells = "".join(
        f'<figure><img src="{data_uri(image, lossless)}" width={image.shape[1]} height={image.shape[0]} loading=lazy '
        f'alt="{name}, view {escape(picture.view)}"><figcaption>{name}</figcaption></figure>'
        for name, image in images
    )
    return f"<div class=view><p>view {escape(picture.view)}{quality}</p><div class=strip>{cells}</div></div>"


def _both(psnr: float, foreground: float | None) -> str:
    return f"{psnr:.2f} dB{'' if foreground is None else f', foreground {foreground:.2f} dB'}"


def _maps(maps: Sequence[PlaneMap]) -> str:
    cells = "".join(
        f'<figure><img src="{data_uri(each.image)}" width={each.image.shape[1]} height={each.image.shape[0]} '
        f'loading=lazy alt="{escape(each.name)}"><figcaption>{escape(each.name)}</figcaption></figure>'
        for each in maps
    )
    return f"<div class=view><div class=strip>{cells}</div></div>" if maps else ""


def _split_unit(value: str) -> str:
    number, _, unit = value.partition(" ")
    return f"{escape(number)}<em>{escape(unit)}</em>" if unit else escape(number)
