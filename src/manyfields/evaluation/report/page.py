"""The whole page: its sections in the order in which a reader wants them, its style and script inside."""

from html import escape
from importlib.resources import files
from pathlib import Path

from manyfields import _io
from manyfields.evaluation.report import sections, sizes
from manyfields.evaluation.report.data import ReportData


def write_report(path: Path, data: ReportData) -> None:
    """Write the report of `data` to `path` as one HTML file, atomically. It loads nothing from anywhere.

    >>> write_report(Path("report.html"), ReportData("vehicles"))
    >>> Path("report.html").read_text().startswith("<!doctype html>")
    True
    """
    _io.write_atomic(Path(path), render_page(data).encode("utf-8", "backslashreplace"))


def render_page(data: ReportData) -> str:
    """The HTML of a report. The same data gives the same text.

    >>> "<title>vehicles</title>" in render_page(ReportData("vehicles"))
    True
    """
    here = files(__package__)
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = "".join(
        (
            sections.header(data),
            sections.headline(data),
            sections.section(
                "Held-out views" if sections.has_held_out(data) else "Pictures", sections.pictures(data.objects)
            ),
            sections.section("Quality", sections.quality(data)),
            sections.section("Training", sections.charts(data)),
            sections.section(data.comparison.title if data.comparison else "", sections.comparison(data.comparison)),
            sections.section("Cost", sizes.costs(data.costs, data.cost_counts)),
            sections.section("Objects", sizes.objects(data), "Click a heading to sort."),
            sections.section("Set aside", sections.problems(data.problems), "These were not used; all else was."),
            sections.section("Remarks", sections.problems(data.remarks), "These were read otherwise than written."),
            sections.section("Notes", sections.notes(data)),
            sections.section("Settings", sections.config(data)),
        )
    )
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1"><meta name=color-scheme content="light dark">'
        f"<title>{escape(data.title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main><script>{script}</script></body></html>\n"
    )
