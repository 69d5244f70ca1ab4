"""How alike the basis networks of a mixture are, layer by layer (mNIF, You et al. 2023, section 5.3.3 and figure 4)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.families.mixture.field import MixtureFamily

COLOURS = np.array([[255, 255, 255], [35, 105, 189], [10, 25, 60]])
"""From 0 over half of the scale to its top."""
LEAST_PANEL = 128  # pixels along a side: matrices of few bases are drawn larger
GAP, LINE, BAR = 12, 20, 10  # pixels between panels, of a line of text, of the scale


@torch.no_grad()
def basis_similarity(family: MixtureFamily) -> list[Float[Tensor, "M M"]]:
    """|cosine| between the weight matrices of every two of the M bases, for each of the L + 2 layers.

    Biases do not count, and diagonals are 0, both as in the paper. Unlike bases have values near 0; those of random
    matrices of n numbers are sqrt(2 / (pi n)) on average, which is larger in layers of fewer numbers.
    """
    found = []
    for (inputs, outputs), numbers in zip(family.config.sizes, family.bases, strict=True):
        matrices = functional.normalize(numbers[:, : inputs * outputs], dim=1)
        found.append((matrices @ matrices.T).abs().fill_diagonal_(0.0))
    return found


def mean_similarity(matrix: Float[Tensor, "M M"]) -> float:
    """Over all pairs of bases; 0 where there is only one."""
    count = len(matrix)
    return float(matrix.sum()) / (count * (count - 1)) if count > 1 else 0.0


def similarity_picture(matrices: Sequence[Float[Tensor, "M M"]], first: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """Heatmaps side by side, one for each layer with its mean above, on one scale, which stands below them.

    `first`: the number of the first layer given. The paper shows hidden layers alone (1 to L): the first and the last
    have few numbers, and what they have by chance would set the scale.
    """
    from PIL import Image, ImageDraw, ImageFont

    top = max(float(matrix.max()) for matrix in matrices) or 1.0
    panels = [_panel(matrix.numpy() / top) for matrix in matrices]
    side = len(panels[0])
    width = len(panels) * (side + GAP) + GAP
    sheet = np.full((LINE + side + GAP + BAR + LINE, width, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        left = GAP + number * (side + GAP)
        sheet[LINE : LINE + side, left : left + side] = panel
    below = LINE + side + GAP
    sheet[below : below + BAR, GAP : GAP + side] = _coloured(np.linspace(0.0, 1.0, side))
    picture = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for number, matrix in enumerate(matrices):
        text = f"layer {first + number}, mean {mean_similarity(matrix):.3f}"
        draw.text((GAP + number * (side + GAP), 2), text, fill="black", font=font)
    draw.text((GAP, below + BAR + 2), f"|cosine| 0 to {top:.2f}", fill="black", font=font)
    return np.asarray(picture)


def _panel(values: Float[np.ndarray, "M M"]) -> UInt8[np.ndarray, "S S 3"]:
    """A frame of one pixel around the matrix, each of its cells a square of whole pixels."""
    cells = np.kron(values, np.ones((-(-LEAST_PANEL // len(values)),) * 2))
    return np.pad(_coloured(cells), ((1, 1), (1, 1), (0, 0)), constant_values=200)


def _coloured(values: np.ndarray) -> UInt8[np.ndarray, "... 3"]:
    places = np.linspace(0.0, 1.0, len(COLOURS))
    return np.stack([np.interp(values, places, channel) for channel in COLOURS.T], -1).round().astype(np.uint8)
