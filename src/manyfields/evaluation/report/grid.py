"""Pictures side by side with words above and below them: one image that stands alone, outside a page, too."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

LEAST_WIDTH = 128  # of a picture, so that words fit: smaller ones are enlarged by a whole number
GAP = 6
LINE = 15  # height of a line of words
LETTERS = 11  # their size
INK, SOFT = (29, 33, 38), (95, 104, 115)

Cell = tuple[UInt8[np.ndarray, "h w 3"], str]
"""A picture, and a few words below it."""


def labelled_grid(
    titles: Sequence[Sequence[str]], rows: Sequence[Sequence[Cell]]
) -> UInt8[np.ndarray, "height width 3"]:
    """Rows of pictures of one size, on white. `titles`: the lines of words above each column, cut at its width."""
    from PIL import Image, ImageDraw, ImageFont

    first = rows[0][0][0]
    times = -(-LEAST_WIDTH // first.shape[1])
    height, width = times * first.shape[0], times * first.shape[1]
    top = LINE * max(len(title) for title in titles) + GAP
    size = (GAP + len(titles) * (width + GAP), top + len(rows) * (height + LINE + GAP))
    sheet = np.full((size[1], size[0], 3), 255, np.uint8)
    words: list[tuple[int, int, str, tuple[int, int, int]]] = []
    for column, title in enumerate(titles):
        for number, line in enumerate(title):
            words.append((GAP + column * (width + GAP), number * LINE, line, SOFT if number else INK))
    for number, row in enumerate(rows):
        above = top + number * (height + LINE + GAP)
        for column, (picture, text) in enumerate(row):
            left = GAP + column * (width + GAP)
            enlarged = picture.repeat(times, axis=0).repeat(times, axis=1)
            sheet[above : above + height, left : left + width] = enlarged
            words.append((left, above + height, text, SOFT))
    drawn = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(LETTERS)
    for left, above, text, ink in words:
        while text and pen.textlength(text, font) > width:
            text = text[:-1]
        pen.text((left, above), text, ink, font)
    return np.asarray(drawn)
