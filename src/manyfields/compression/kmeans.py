"""Codebooks after the fact: Lloyd's algorithm with the k-means++ start (Arthur and Vassilvitskii 2007)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 1 << 14  # rows compared with a codebook at a time


def nearest(
    features: Float[Tensor, "m k"], codebook: Float[Tensor, "K k"], costs: Float[Tensor, "m K"] | None = None
) -> Int[Tensor, " m"]:
    """Index of the nearest entry of the codebook; of equals the first. Memory for `CHUNK` times K numbers.

    With `costs`, of the entry with the least sum of half its squared distance and its cost.
    """
    half = 0.5 * codebook.square().sum(1)
    indices = torch.empty(len(features), dtype=torch.int64, device=features.device)
    for start in range(0, len(features), CHUNK):
        some = features[start : start + CHUNK]
        added = half if costs is None else half + costs[start : start + CHUNK]
        indices[start : start + CHUNK] = torch.addmm(added, some, codebook.T, alpha=-1.0).argmin(1)
    return indices


def learn_codebook(
    features: Float[Tensor, "m k"],
    bits: int,
    *,
    seed: int = 0,
    iterations: int = 20,
    sample: int = 1 << 16,
    weights: Float[Tensor, " m"] | None = None,
) -> Float[Tensor, "K k"]:
    """2^bits entries with a small mean squared distance to the features; learned from `sample` rows drawn at random.

    Rows count by `weights` (all alike when None). With fewer different rows than entries, entries repeat.
    """
    generator = torch.Generator().manual_seed(seed)
    if len(features) > sample:
        rows = torch.randperm(len(features), generator=generator)[:sample].to(features.device)
        features, weights = features[rows], None if weights is None else weights[rows]
    features = features.detach().float()
    if not len(features):
        return torch.zeros(1 << bits, features.shape[1], device=features.device)
    counted = torch.ones(len(features), device=features.device) if weights is None else weights.float()
    codebook = _spread(features, counted, 1 << bits, generator)
    for _ in range(iterations):
        indices = nearest(features, codebook)
        mass = torch.zeros(len(codebook), device=features.device).index_add_(0, indices, counted)
        sums = torch.zeros_like(codebook).index_add_(0, indices, features * counted[:, None])
        moved = torch.where(mass[:, None] > 0, sums / mass[:, None].clamp(min=1e-30), codebook)
        idle = (mass == 0).nonzero()[:, 0]
        if len(idle):  # entries without rows go to the rows that are served worst
            errors = (features - codebook[indices]).square().sum(1) * counted
            worst = errors.topk(min(len(idle), len(features))).indices
            moved[idle[: len(worst)]] = features[worst]
        if torch.equal(moved, codebook):
            break
        codebook = moved
    return codebook


def _spread(
    features: Float[Tensor, "m k"], weights: Float[Tensor, " m"], count: int, generator: torch.Generator
) -> Float[Tensor, "K k"]:
    """Rows as first entries, each drawn with the odds of its weighted squared distance to those drawn before."""
    chosen = torch.empty(count, dtype=torch.int64)
    distances = torch.full((len(features),), torch.inf, device=features.device)
    odds = weights
    for number in range(count):
        running = odds.double().cumsum(0)
        draw = torch.rand(1, generator=generator, dtype=torch.float64).to(running.device) * running[-1]
        row = int(torch.searchsorted(running, draw, right=True).clamp(max=len(features) - 1))
        chosen[number] = row
        distances = torch.minimum(distances, (features - features[row]).square().sum(1))
        odds = distances * weights
    return features[chosen.to(features.device)].clone()
