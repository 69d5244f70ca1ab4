"""Where along a ray a field is evaluated: stratified samples, then more where the first ones found something."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields.errors import ConfigError

SAMPLES_GROW = ((0.25, 1), (0.5, 2))  # up to which share of a phase a ray has how many thirds of its samples


@dataclass(frozen=True)
class Sampler:
    """How many samples a ray gets: the paper's 48 + 48 cross a whole cube, boxes fitted to the objects need fewer.

    >>> Sampler(guided=12).at(0.1).guided, Sampler(guided=12).at(0.9).guided
    (4, 12)
    """

    stratified: int = 16
    importance: int = 16
    guided: int = 12
    """Samples of a ray where a guide says what is filled; those above are for fields without one."""
    bins: int = 48
    """Bins along the ray in which the guide is looked up."""
    across: int = 256
    """Steps in which a ray at rest, when nothing is learned, would cross the whole box along the axis that it passes
    fastest; samples are at those within cells that may hold something (`rendering.walking`)."""
    supersampling: int = 1
    """Rays along one side of a pixel, for families in RGB space: their mean is the pixel."""

    def at(self, share: float) -> "Sampler":
        """The sampler of a step when `share` of a phase is over: a third of the guided samples, two thirds, then all.

        What is learned first is coarse: more samples would show nothing new, and take as many times as long.
        """
        steps = next((steps for end, steps in SAMPLES_GROW if share < end), 3)
        return replace(self, guided=max(1, self.guided * steps // 3))

    def __post_init__(self) -> None:
        if self.stratified < 2 or self.importance < 0:
            raise ConfigError(f"sampler {self.stratified} + {self.importance}: needs at least 2 + 0 samples")
        if min(self.guided, self.bins, self.across, self.supersampling) < 1:
            raise ConfigError("sampler: guided, bins, across and supersampling must be above 0")


def bin_edges(near: Float[Tensor, "B R"], far: Float[Tensor, "B R"], count: int) -> Float[Tensor, "B R E"]:
    """Edges of `count` equal bins between near and far."""
    steps = torch.linspace(0.0, 1.0, count + 1, device=near.device, dtype=near.dtype)
    return near.unsqueeze(-1) + (far - near).unsqueeze(-1) * steps


def stratified(edges: Float[Tensor, "B R E"], generator: torch.Generator | None = None) -> Float[Tensor, "B R E-1"]:
    """One distance in each bin: at its middle, or anywhere in it when a generator draws."""
    widths = edges[..., 1:] - edges[..., :-1]
    return edges[..., :-1] + widths * draw_offsets(widths, generator)


def by_importance(
    edges: Float[Tensor, "B R E"],
    weights: Float[Tensor, "B R S"],
    count: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "B R count"]:
    """Distances drawn from the piecewise constant density that `weights` give the S = E - 1 bins (NeRF, section 5.2).

    Without a generator they are the middles of `count` equal parts of the distribution.
    """
    weights = weights + 1e-3 * weights.mean(-1, keepdim=True) + 1e-6
    cumulated = torch.cumsum(weights / weights.sum(-1, keepdim=True), -1)
    cumulated = torch.cat([torch.zeros_like(cumulated[..., :1]), cumulated], -1)
    parts = torch.arange(count, device=edges.device, dtype=edges.dtype).expand(*edges.shape[:-1], count)
    quantiles = ((parts + draw_offsets(parts, generator)) / count).contiguous()
    above = torch.searchsorted(cumulated.contiguous(), quantiles, right=True).clamp(1, weights.shape[-1])
    low, high = cumulated.gather(-1, above - 1), cumulated.gather(-1, above)
    start, end = edges.gather(-1, above - 1), edges.gather(-1, above)
    return start + (end - start) * ((quantiles - low) / (high - low).clamp(min=1e-12)).clamp(0.0, 1.0)


def draw_offsets(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Places within stretches of ray, in [0, 1): at random, or the middles without a generator."""
    if generator is None:
        return torch.full_like(like, 0.5)
    return torch.rand(like.shape, generator=generator, dtype=like.dtype, device=generator.device).to(like.device)
