"""The network that takes noise out of coordinates: a residual MLP (Functa, Dupont et al. 2022; mNIF, section A.3)."""

import math

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int
from torch import Tensor, nn

WAVES = 32  # of different lengths, in which a time step is told to the network


class Denoiser(nn.Module):
    """From noisy coordinates, time step and class to what a scheduler predicts with.

    Class number `classes` stands for "any": guidance compares with it. A fresh network returns zeros.
    """

    def __init__(self, dimensions: int, classes: int, width: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dimensions, width)
        self.time = nn.Linear(2 * WAVES, width)
        self.classes = nn.Embedding(classes + 1, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, dimensions)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, noisy: Float[Tensor, "B D"], time: Int[Tensor, " B"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, "B D"]:
        lengths = torch.exp(-math.log(1e4) / WAVES * torch.arange(WAVES, device=noisy.device))
        angles = time.unsqueeze(1) * lengths
        told = functional.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.classes(labels))
        hidden = self.enter(noisy)
        for block in self.blocks:
            hidden = block(hidden, told)
        return self.leave(self.norm(hidden))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.told = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        return hidden + self.second(functional.silu(self.first(self.norm(hidden)) + self.told(told)))
