"""Latents of one object as they learn, by a pyramid's mixes and kernels that may learn with them.

        rounded, straight through                    as stored, rendered
latents ─────────────────────────► pyramid ──► planes ──────────────────► error of pixels
   ▲                                                                          │
   └── what they cost, by the codec's tables ◄── + ◄── gradients of the error ┘
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from manyfields.compression.latent_prices import LatentPrices
from manyfields.compression.latent_pyramid import WholePyramid, finer, latents_that_count, sides_of

BETAS = (0.9, 0.99)
STEPS_BETWEEN_CLASSES = 10  # classes follow the latents around, which change slowly


class Pyramid(nn.Module):
    """Mixes and kernels of a pyramid (see `compression.latent_pyramid`) as floats."""

    def __init__(self, mixes: Sequence[Float[Tensor, "Z F"]], kernels: Sequence[Float[Tensor, "F F 3 3"]]) -> None:
        super().__init__()
        self.mixes = nn.ParameterList([mix.clone() for mix in mixes])
        self.kernels = nn.ParameterList([kernel.clone() for kernel in kernels])

    @staticmethod
    def of(whole: WholePyramid) -> "Pyramid":
        """The numbers that are stored, which learn no more."""
        return Pyramid(*whole.floats()).requires_grad_(False)

    def whole(self) -> WholePyramid:
        return WholePyramid.of(list(self.mixes), list(self.kernels))

    def forward(self, latents: Sequence[Tensor], masks: Sequence[Tensor], side: int) -> Float[Tensor, "3 H W F"]:
        planes = None
        for level, (size, own, here) in enumerate(zip(sides_of(side, len(masks)), latents, masks, strict=True)):
            mixed = self.mixes[level]
            added = own.new_zeros(*here.shape, mixed.shape[1]).index_put((here,), own @ mixed).permute(0, 3, 1, 2)
            planes = added if planes is None else finer(planes, self.kernels[level - 1], size) + added
        assert planes is not None
        return planes.permute(0, 2, 3, 1)


class LatentCode:
    """The latents (m, Z) of an object's levels, where these count, and the optimizer that moves them."""

    def __init__(self, start: Sequence[Int[Tensor, "3 _h _w Z"]], texels: Bool[Tensor, "3 H W"]) -> None:
        self.texels, self.masks = texels, latents_that_count(texels, len(start))
        self.latents = [nn.Parameter(own[here].float()) for own, here in zip(start, self.masks, strict=True)]
        self.optimizer = torch.optim.Adam(self.latents, betas=BETAS, fused=True)
        self._classes: list[Tensor] = []
        self._steps = 0

    def planes(self, pyramid: Pyramid, coarse: bool = False) -> Float[Tensor, "3 H W F"]:
        """As they are stored, with gradients; zeros where texels do not count. `coarse`: without the finest level."""
        rounded = [own + (own.detach().round() - own.detach()) for own in self.latents]
        if coarse:
            rounded[-1] = torch.zeros_like(rounded[-1])
        return pyramid(rounded, self.masks, self.texels.shape[-1]) * self.texels[..., None]

    @property
    def has_finite_gradients(self) -> bool:
        return all(own.grad is None or bool(own.grad.isfinite().all()) for own in self.latents)

    def add_prices(self, prices: LatentPrices, price: float) -> None:
        """Add to the gradients what a unit more of each latent costs, at `price` a bit."""
        if self._steps % STEPS_BETWEEN_CLASSES == 0:
            self._classes = prices.classes(self.whole(prices.tables.reach), [here.numpy() for here in self.masks])
        self._steps += 1
        for own, classes in zip(self.latents, self._classes, strict=True):
            if own.grad is not None:  # the finest level has none in coarse steps
                own.grad.add_(prices.slope(own, classes), alpha=price)

    @torch.no_grad()
    def move(self, rate: float) -> None:
        """One step against the gradients."""
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def whole(self, reach: int) -> list[Int[np.ndarray, "3 _h _w Z"]]:
        """Latents to store."""
        levels = []
        for own, here in zip(self.latents, self.masks, strict=True):
            values = np.zeros((*here.shape, own.shape[1]), np.int64)
            values[here.numpy()] = own.detach().round().clamp(-reach, reach).long().numpy()
            levels.append(values)
        return levels
