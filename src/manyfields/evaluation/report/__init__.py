"""The report of a run: one HTML file that needs nothing beside it, to look at and to hand on."""

from manyfields.evaluation.report.data import (
    Chart,
    Comparison,
    Curve,
    Dataset,
    Headline,
    ObjectResult,
    Picture,
    PlaneMap,
    ReportData,
    SetAside,
    Split,
    Variant,
)
from manyfields.evaluation.report.page import render_page, write_report

__all__ = [
    "Chart",
    "Comparison",
    "Curve",
    "Dataset",
    "Headline",
    "ObjectResult",
    "Picture",
    "PlaneMap",
    "ReportData",
    "SetAside",
    "Split",
    "Variant",
    "render_page",
    "write_report",
]
