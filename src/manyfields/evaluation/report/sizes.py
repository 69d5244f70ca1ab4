"""Tables of figures beside bytes: what a run cost, what N objects would take, what each object has.

Wherever bytes of an object stand, those that objects share stand beside them, divided by their number.
"""

from collections.abc import Sequence

from manyfields.evaluation.costs import CostAccount, CostRow, with_share
from manyfields.evaluation.report.data import ObjectResult, ReportData, Variant
from manyfields.evaluation.report.tables import Column, decimals, percent, table
from manyfields.evaluation.units import format_bytes, format_seconds, shared_by

SCORE_COLUMNS = (
    Column("PSNR", lambda row: row.scores.psnr, decimals(2), "dB", "high"),
    Column("foreground", lambda row: row.scores.foreground_psnr, decimals(2), "PSNR, dB", "high"),
    Column("holes", lambda row: row.scores.holes, percent, "of pixels inside", "low"),
    Column("holes", lambda row: row.scores.worst_holes, percent, "worst view", "low"),
    Column("SSIM", lambda row: row.scores.ssim, decimals(4), "", "high"),
    Column("LPIPS", lambda row: row.scores.lpips, decimals(4), "squeeze", "low"),
    Column("layer 0", lambda row: row.layer0.psnr, decimals(2), "PSNR, dB", "high"),
    Column("layer 0", lambda row: row.layer0.foreground_psnr, decimals(2), "foreground, dB", "high"),
)
# Without a best value in bold: objects and splits do not compete with one another.
UNJUDGED_SCORES = (
    *(Column(c.title, c.read, c.show, c.unit) for c in SCORE_COLUMNS),
    Column("IoU", lambda row: row.iou, decimals(4)),
)


def costs(account: CostAccount | None, counts: Sequence[int]) -> str:
    """What was measured, and the totals of the paper for N objects."""
    if account is None:
        return ""
    n1 = account.stage1_objects
    per_view = account.training_views_per_second
    layers = [(f"layer {i}, mean an object", format_bytes(size)) for i, size in enumerate(account.object_layer_bytes)]
    lines = [
        (f"stage 1, {n1:,} object{'s' if n1 != 1 else ''} and the shared part", format_seconds(account.stage1_seconds)),
        ("stage 2, mean an object", format_seconds(account.object_seconds_mean)),
        ("stage 2, median an object", format_seconds(account.object_seconds_median)),
        ("training", "–" if per_view is None else f"{per_view:,.1f} views/s"),
        ("decode one object", format_seconds(account.decode_seconds)),
        ("render one view", format_seconds(account.render_seconds)),
        ("shared part", format_bytes(account.shared_bytes)),
        ("codec", format_bytes(account.codec_bytes) if account.codec_bytes else "–"),
        ("encoder, for fitting only", format_bytes(account.encoder_bytes)),
        *(layers if len(layers) > 1 else []),
        ("own bytes, mean an object", format_bytes(account.object_bytes)),
    ]
    measured = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in lines if value != "–")
    columns = (
        Column("N", lambda row: row.objects, decimals(0), "objects"),
        Column("t(N)", lambda row: row.seconds, format_seconds),
        Column("m(N)", lambda row: row.served_bytes, format_bytes, "to serve"),
        Column("m(N)", lambda row: row.total_bytes, format_bytes, "with encoder"),
        Column("an object", lambda row: row.bytes_per_object, format_bytes, "with the shared part"),
    )
    rows: Sequence[CostRow] = account.table(counts)
    formula = (
        "t(N) = stage 1 + max(0, N − N₁) × stage 2 an object; m(N) = shared part + codec + N × bytes an object. "
        f"N₁ = {n1:,}; extrapolated from this run."
    )
    totals = f"<div>{table(columns, rows)}<p class=note>{formula}</p></div>"
    return f"<div class=pair><dl class=measured>{measured}</dl>{totals}</div>"


def objects(data: ReportData) -> str:
    rows, top = data.objects, data.headline
    count = 1 if top is None or top.objects is None else top.objects

    def whole(row: ObjectResult) -> float | None:
        if row.bytes is None or top is None or top.shared_bytes is None:
            return None
        return with_share(row.bytes, top.shared_bytes, count)

    columns = (
        Column("object", lambda row: row.id, text=True),
        Column("group", lambda row: row.group, text=True),
        Column("stage", lambda row: row.stage, decimals(0)),
        Column("train", lambda row: row.train_views, decimals(0), "views"),
        Column("held out", lambda row: row.test_views, decimals(0), "views"),
        *UNJUDGED_SCORES,
        Column("bytes", lambda row: row.bytes, decimals(0), "its own"),
        Column("bytes", whole, decimals(0), shared_by(count)),
    )
    return table(columns, rows, sortable=True) if rows else ""


def sharing(variants: Sequence[Variant]) -> str:
    """By how many objects the bytes are divided that they share.

    >>> sharing([Variant("a", objects=4), Variant("b", objects=4)])
    'with the shared part, N = 4'
    """
    counts = {v.objects for v in variants if v.objects is not None}
    return shared_by(counts.pop()) if len(counts) == 1 else "with its part of what is shared"
