"""Tables of texels as plain tensors: what the fused kernels take of the places that a field reads, and how.

planes     (lines, F), of which three planes of `side` x `side` lines belong to each object
octrees    (lines, F), one line a corner; grid, children and corners say which a point reads (`tree_steps`)
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.rendering.tiny_decoder import TinyDecoder

FEATURES, HIDDEN = 16, 32  # sizes that the kernels work in, padded with zeros
CUBE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
"""What planes and octrees without boxes of their own fill."""


@dataclass(frozen=True, eq=False)
class Texels:
    """Where the features of B objects lie."""

    table: Float[Tensor, "*lines F"]
    begins: Int[Tensor, " B"]
    """Line of the table at which the planes of each object begin; zeros for octrees, whose corners count through."""
    side: int
    """Texels along a plane; of octrees: voxels of the coarsest level along the cube."""
    bounds: Float[Tensor, "B 2 3"]
    """What planes or octrees fill."""
    trees: tuple[Tensor, Tensor, Tensor] | None = None
    """Grid, children and corners of octrees (int32), as `tree_steps` walks down them; None for planes."""
    levels: int = 0
    """Of octrees, how many are looked at; 0 for planes."""


def texel_width(texels: Texels) -> int:
    """Features with those that pad them."""
    return -(-texels.table.shape[-1] // FEATURES) * FEATURES


def hidden_width(decoder: TinyDecoder) -> int:
    """Hidden units with those that pad them."""
    return -(-decoder.hidden_bias.shape[-1] // HIDDEN) * HIDDEN


def kernel_arguments(texels: Texels, decoder: TinyDecoder) -> tuple[Any, ...]:
    """The first arguments of every fused kernel: flat arrays, padded to whole vectors."""
    features, width = texels.table.shape[-1], decoder.hidden_bias.shape[-1]
    size, wide = texel_width(texels), (0, hidden_width(decoder) - width)
    table = functional.pad(texels.table, (0, size - features)) if size > features else texels.table
    tensors = (
        functional.pad(decoder.hidden_weight.T, (*wide, 0, size - features)),
        functional.pad(decoder.hidden_bias, wide),
        functional.pad(decoder.output_weight, wide),
        decoder.output_bias,
    )
    hidden_weight, hidden_bias, output_weight, output_bias = (array(tensor).reshape(-1) for tensor in tensors)
    none = texels.begins.new_empty(0, dtype=torch.int32)
    return (
        array(table).reshape(-1),
        array(texels.begins),
        texels.side,
        *(array(each).reshape(-1) for each in texels.trees or (none, none, none)),
        texels.levels,
        array(texels.bounds),
        hidden_weight,
        hidden_bias,
        hidden_width(decoder) if decoder.hidden_bias.dim() == 3 else 0,
        output_weight,
        output_bias,
        decoder.gain,
        decoder.space == "rgb",
        (decoder.view_degree + 1) ** 2 - 1,
    )


def array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


def arrays(*tensors: Tensor) -> list[Any]:
    return [array(tensor) for tensor in tensors]
