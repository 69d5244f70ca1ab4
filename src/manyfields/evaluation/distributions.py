"""How near a set of samples is to a set of real ones: Frechet distance, precision, recall and F1 of their features."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor, nn

from manyfields.errors import ConfigError

NEIGHBOURS = 3


def frechet_distance(drawn: Float64[Tensor, "N F"], real: Float64[Tensor, "M F"]) -> float:
    """FID of two sets of features (Heusel et al. 2017), by torchmetrics. Raises ConfigError for fewer than 2 a side."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    if min(len(drawn), len(real)) < 2:
        raise ConfigError(f"FID of {len(drawn)} and {len(real)} images: at least 2 a side")
    metric = FrechetInceptionDistance(feature=_AreFeatures(real.shape[1]), input_img_size=(1, 1, 1))
    metric.set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(drawn, real=False)
    return float(metric.compute())


@dataclass(frozen=True)
class PrecisionRecall:
    """`precision`: share of samples that look real; `recall`: share of real ones that samples come near to."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where both are."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0


def precision_recall(
    drawn: Float64[Tensor, "N F"], real: Float64[Tensor, "M F"], neighbours: int = NEIGHBOURS
) -> PrecisionRecall:
    """Of manifolds that are balls around features, each to its `neighbours`-th nearest (Kynkaanniemi et al. 2019).

    Raises ConfigError where a side has no so many others.
    """
    if min(len(drawn), len(real)) <= neighbours:
        raise ConfigError(f"precision of {len(drawn)} and {len(real)} images: more than {neighbours} a side")
    precision = float(_within(drawn, real, neighbours).double().mean())
    return PrecisionRecall(precision, float(_within(real, drawn, neighbours).double().mean()))


def _within(points: Tensor, manifold: Tensor, neighbours: int) -> Bool[Tensor, " N"]:
    """Which points lie in a ball of the manifold."""
    # The nearest to each is itself. Not by matrix products: they are off by more than near points are apart.
    distances = torch.cdist(manifold, manifold, compute_mode="donot_use_mm_for_euclid_dist")
    radii = distances.kthvalue(neighbours + 1, dim=1).values
    return (torch.cdist(points, manifold, compute_mode="donot_use_mm_for_euclid_dist") <= radii).any(1)


class _AreFeatures(nn.Module):
    """What torchmetrics takes for a network: its images are features already."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features: Tensor) -> Tensor:
        return features
