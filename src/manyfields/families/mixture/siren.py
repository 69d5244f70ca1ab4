"""Small networks of sines (SIREN, Sitzmann et al. 2020), one for each of B instances, evaluated side by side.

    h_0 = x,   h_{i+1} = sin(w0 (W_i h_i + b_i)),   values = W_out h + b_out

The numbers of a layer are one row, its matrix (outputs, inputs) before its bias: to mix networks is to mix rows.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.families.mixture.sines import sine

Sizes = Sequence[tuple[int, int]]
"""Inputs and outputs of each layer."""


def layer_sizes(inputs: int, width: int, hidden_layers: int, outputs: int) -> tuple[tuple[int, int], ...]:
    """Of a network with an input layer, `hidden_layers` layers of `width` units, and an output layer."""
    return (inputs, width), *((width, width),) * hidden_layers, (width, outputs)


def numbers_of(size: tuple[int, int]) -> int:
    """How many numbers a layer has."""
    return (size[0] + 1) * size[1]


def siren_start(
    sizes: Sizes, networks: int, w0: float, generator: torch.Generator | None = None
) -> list[Float[Tensor, "M _"]]:
    """Random numbers (M = networks, P) of each layer, as SIREN draws them (section 3.2 and supplement 1.5).

    Matrices: uniform up to 1 / inputs in the first layer, up to sqrt(6 / inputs) / w0 in all others. Biases: uniform
    up to 1 / sqrt(inputs), as the authors' code leaves them.
    """
    layers = []
    for index, (inputs, outputs) in enumerate(sizes):
        bound = 1.0 / inputs if index == 0 else (6.0 / inputs) ** 0.5 / w0
        drawn = torch.rand(networks, numbers_of((inputs, outputs)), generator=generator) * 2.0 - 1.0
        drawn[:, : inputs * outputs] *= bound
        drawn[:, inputs * outputs :] *= inputs**-0.5
        layers.append(drawn)
    return layers


def evaluate(
    sizes: Sizes, layers: Sequence[Float[Tensor, "B _"]], points: Float[Tensor, "B N D"], w0: float
) -> Float[Tensor, "B N K"]:
    """Values of B networks, each at N points of its own.

    Under autocast the layers between the first and the last are products of halves: what they get are sines, which
    halves hold well. The first layer's products reach w0 and are the argument of a sine: they need every bit.
    """
    values, last = points, len(sizes) - 1
    for index, ((inputs, outputs), numbers) in enumerate(zip(sizes, layers, strict=True)):
        scale = 1.0 if index == last else w0
        # w0 goes into the matrix, which is smaller than what it is multiplied with.
        matrix = scale * numbers[:, : inputs * outputs].view(-1, outputs, inputs).transpose(1, 2)
        bias = scale * numbers[:, inputs * outputs :].unsqueeze(1)
        if 0 < index < last:
            values = sine(torch.baddbmm(bias, values, matrix))
        else:
            with torch.autocast(points.device.type, enabled=False):
                values = torch.baddbmm(bias, values.to(points.dtype), matrix)
            values = values if index == last else sine(values)
    return values
