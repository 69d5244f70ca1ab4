"""Numbers as people read them: bytes and seconds with a fitting unit."""


def shared_by(objects: int) -> str:
    """What a column of bytes is called that has the shared part divided by its objects in it.

    >>> shared_by(10_000)
    'with the shared part, N = 10,000'
    """
    return f"with the shared part, N = {objects:,}"


def format_bytes(count: float | None) -> str:
    """Decimal units, as storage is sold and as the papers count: 1 MB = 1,000,000 bytes.

    >>> format_bytes(811), format_bytes(491_520), format_bytes(54.07e6)
    ('811 B', '492 kB', '54.1 MB')
    """
    if count is None:
        return "–"
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} B" if unit == "B" else f"{three_digits(value)} {unit}"


def format_seconds(seconds: float | None) -> str:
    """
    >>> format_seconds(0.0042), format_seconds(42), format_seconds(90), format_seconds(9000)
    ('4.20 ms', '42.0 s', '1.50 min', '2.50 h')
    """
    if seconds is None:
        return "–"
    for limit, size, unit in ((0.9995, 1e-3, "ms"), (89.95, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 86_400)} days"


def three_digits(value: float) -> str:
    """Three significant digits, never in scientific notation: 4.20, 42.0, 420, 4,200."""
    size = abs(value)
    decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:,.{decimals}f}"
