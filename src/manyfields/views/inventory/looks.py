"""Colours and patterns of procedural objects, drawn from a generator."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from manyfields.views.inventory.model import Color, Finish

T = TypeVar("T")

# Each glyph is five rows of three pixels, a row an octal digit.
_GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71122",
    "8": "75757", "9": "75717", "A": "25755", "C": "74447", "E": "74747", "F": "74644", "H": "55755", "K": "55655",
    "L": "44447", "O": "25552", "P": "75744", "S": "34216", "T": "72222", "U": "55557", "X": "55255", "Z": "71247",
}  # fmt: skip


def chance(g: np.random.Generator, share: float) -> bool:
    return bool(g.random() < share)


def between(g: np.random.Generator, low: float, high: float) -> float:
    return float(low + (high - low) * g.random())


def pick(g: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(g.integers(len(options)))]


def hsv(hue: float, saturation: float, value: float) -> Color:
    return colorsys.hsv_to_rgb(hue % 1.0, saturation, value)


def bright(g: np.random.Generator) -> Color:
    """A clear colour of any hue."""
    return hsv(g.random(), between(g, 0.55, 0.9), between(g, 0.6, 0.95))


def pale(g: np.random.Generator) -> Color:
    return hsv(g.random(), between(g, 0.05, 0.25), between(g, 0.82, 0.97))


def dark(g: np.random.Generator) -> Color:
    return hsv(g.random(), between(g, 0.1, 0.5), between(g, 0.15, 0.35))


def grey(g: np.random.Generator, low: float = 0.2, high: float = 0.9) -> Color:
    value = between(g, low, high)
    return (value, value, value * between(g, 0.97, 1.0))


def toned(color: Color, share: float) -> Color:
    """The colour made darker (share below 1) or brighter."""
    red, green, blue = (min(1.0, share * part) for part in color)
    return (red, green, blue)


def wood(g: np.random.Generator) -> Color:
    return hsv(between(g, 0.05, 0.11), between(g, 0.35, 0.65), between(g, 0.35, 0.85))


def any_color(g: np.random.Generator) -> Color:
    return pick(g, (bright, bright, pale, dark, grey, wood))(g)


def painted(color: Color, roughness: float = 0.6) -> Finish:
    return Finish(color, roughness)


def metal(g: np.random.Generator) -> Finish:
    color = pick(g, ((0.8, 0.81, 0.83), (0.6, 0.61, 0.64), (0.85, 0.7, 0.4), (0.75, 0.5, 0.38)))
    return Finish(color, between(g, 0.3, 0.5), 0.8)


def wooden(g: np.random.Generator, color: Color | None = None) -> Finish:
    """Wood with a grain along u."""
    base = np.array(color or wood(g))
    waves = np.cumsum(g.normal(size=48))
    tone = 1 + 0.16 * (waves - waves.mean()) / (np.abs(waves).max() + 1e-9)
    return patterned(np.repeat((base * tone[:, None])[:, None], 4, axis=1), 0.7)


def patterned(image: np.ndarray, roughness: float = 0.6) -> Finish:
    """A finish from an sRGB image [H, W, 3] in [0, 1]."""
    return Finish(pattern=np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), roughness=roughness)


def filled(color: Color, height: int = 64, width: int = 64) -> np.ndarray:
    return np.tile(np.asarray(color, dtype=np.float64), (height, width, 1))


def bands(g: np.random.Generator, colors: Sequence[Color], height: int = 64, width: int = 8) -> np.ndarray:
    """Horizontal bands of uneven height."""
    cuts = np.sort(g.integers(1, height, size=int(g.integers(2, 8))))
    index = np.searchsorted(cuts, np.arange(height), side="right")
    start = int(g.integers(len(colors)))
    rows = np.array([colors[(start + i) % len(colors)] for i in index])
    return np.repeat(rows[:, None], width, axis=1)


def stripes(colors: Sequence[Color], count: int, slant: int = 0, size: int = 128) -> np.ndarray:
    """Upright stripes, `count` of them around; `slant` whole turns from top to bottom make a spiral."""
    v, u = np.mgrid[0:size, 0:size] / size
    return np.array(colors)[np.floor(u * count + v * slant).astype(int) % len(colors)]


def checks(first: Color, second: Color, columns: int, rows: int, size: int = 128) -> np.ndarray:
    v, u = np.mgrid[0:size, 0:size] / size
    odd = (np.floor(u * columns) + np.floor(v * rows)) % 2
    return np.where(odd[..., None] > 0, np.array(second), np.array(first))


def dots(ground: Color, dot: Color, columns: int, rows: int, radius: float = 0.3, size: int = 128) -> np.ndarray:
    """Round dots, every second row moved by half a step."""
    v, u = (np.mgrid[0:size, 0:size] + 0.5) / size
    row = np.floor(v * rows)
    along = (u * columns + 0.5 * (row % 2)) % 1 - 0.5
    inside = along**2 + (v * rows - row - 0.5) ** 2 < radius**2
    return np.where(inside[..., None], np.array(dot), np.array(ground))


def zigzag(ground: Color, line: Color, count: int, rows: int, size: int = 128) -> np.ndarray:
    v, u = np.mgrid[0:size, 0:size] / size
    shift = np.abs((u * count) % 1 - 0.5)
    return np.where((((v * rows + shift) % 1) < 0.4)[..., None], np.array(line), np.array(ground))


def any_pattern(g: np.random.Generator, colors: Sequence[Color]) -> np.ndarray:
    """A pattern of two or three of the colours that closes around u."""
    first, second = colors[0], colors[1]
    kind = int(g.integers(6))
    if kind == 0:
        return bands(g, colors)
    if kind == 1:
        return stripes(colors, len(colors) * int(g.integers(2, 7)), len(colors) * int(g.integers(0, 3)))
    if kind == 2:
        return checks(first, second, 2 * int(g.integers(2, 7)), int(g.integers(2, 9)))
    if kind == 3:
        return dots(first, second, int(g.integers(3, 8)), 2 * int(g.integers(1, 4)), between(g, 0.2, 0.4))
    if kind == 4:
        return zigzag(first, second, int(g.integers(3, 9)), int(g.integers(2, 6)))
    image = bands(g, colors[:2], 128, 128)
    image[40:88] = dots(colors[-1], first, int(g.integers(4, 9)), 3)[40:88]
    return image


def lettering(g: np.random.Generator, ground: Color, ink: Color, letters: int, digits: bool = False) -> np.ndarray:
    """A sign with a random word or number: image [7, 4 * letters + 1, 3] enlarged four times."""
    alphabet = [glyph for glyph in _GLYPHS if glyph.isdigit() == digits]
    image = filled(ground, 7, 4 * letters + 1)
    for place in range(letters):
        for row, code in enumerate(_GLYPHS[pick(g, alphabet)]):
            for column in range(3):
                if int(code, 8) >> (2 - column) & 1:
                    image[1 + row, 1 + 4 * place + column] = ink
    return np.kron(image, np.ones((4, 4, 1)))
