"""Tables on stdout: fitted to a terminal, and never cut off in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH_IN_A_PIPE = 200


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """One table. Cells that are numbers stand right-aligned, floats with two decimals, None as a dash."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for i, name in enumerate(columns):
        numbers = all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        table.add_column(name, justify="right" if numbers and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escape(format_cell(cell)) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE).print(table)


def format_cell(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) >= 1 else f"{cell:.4f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _escape(text: str) -> str:
    """Names of files may hold brackets, which rich would read as markup."""
    from rich.markup import escape

    return escape(text)
