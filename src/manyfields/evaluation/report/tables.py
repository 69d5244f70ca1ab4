"""HTML tables of figures: aligned decimals, columns without any value left out, the best value of a column in bold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """How one figure of a row is read, shown and judged."""

    title: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    unit: str = ""
    best: Literal["high", "low"] | None = None
    text: bool = False  # words, set to the left; figures are set to the right


def decimals(places: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{places}f}"


def percent(share: float) -> str:
    """A share as per cent, with two decimals: what is worth mending is often less than one.

    >>> percent(0.00531)
    '0.53 %'
    """
    return f"{100 * share:.2f} %"


def table(columns: Sequence[Column], rows: Sequence[Any], sortable: bool = False) -> str:
    """One `<table>`; with `sortable`, its headers are buttons (see page.js). Everything from outside is escaped."""
    kept = [c for c in columns if any(c.read(row) not in (None, "") for row in rows)]
    best = [_best(c, rows) for c in kept]
    head = "".join(f"<th scope=col{' class=text' if c.text else ''}>{_header(c, sortable)}</th>" for c in kept)
    body = "".join(
        "<tr>" + "".join(_cell(c, row, b) for c, b in zip(kept, best, strict=True)) + "</tr>" for row in rows
    )
    return (
        f"<div class=scroll><table{' class=sortable' if sortable else ''}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _header(column: Column, sortable: bool) -> str:
    unit = f"<small>{escape(column.unit)}</small>" if column.unit else ""
    title = f"{escape(column.title)}{unit}"
    return f"<button type=button>{title}</button>" if sortable else title


def _cell(column: Column, row: Any, best: float | None) -> str:
    value = column.read(row)
    if value is None or value == "":
        return "<td class=text></td>" if column.text else "<td class=none>–</td>"
    if column.text:
        return f"<td class=text>{escape(column.show(value))}</td>"
    shown = escape(column.show(value))
    return f'<td data-v="{value}">{f"<b>{shown}</b>" if value == best else shown}</td>'


def _best(column: Column, rows: Sequence[Any]) -> float | None:
    values = [value for row in rows if (value := column.read(row)) is not None]
    if column.best is None or len(values) < 2:
        return None
    return max(values) if column.best == "high" else min(values)
