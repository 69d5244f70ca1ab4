"""The naive prior: a Gaussian of each class, fitted to vectors. What a prior that learns has to beat."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class GaussianDraws:
    """Mean and covariance of the vectors (N, D) of each class; a class of one object is that object."""

    def __init__(self, vectors: Float[Tensor, "N D"], labels: Int[Tensor, " N"]) -> None:
        self.means: dict[int, Tensor] = {}
        self.factors: dict[int, Tensor] = {}
        for label in labels.unique().tolist():
            own = vectors[labels == label]
            self.means[label] = own.mean(0)
            # With F = (x - mean) / sqrt(n - 1), noise @ F has the covariance of x, also where n is below D.
            self.factors[label] = (own - own.mean(0)) / max(1, len(own) - 1) ** 0.5

    def draw(self, labels: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B D"]:
        """One sample of each class."""
        drawn = []
        for label in labels.tolist():
            factor = self.factors[label]
            drawn.append(self.means[label] + torch.randn(len(factor), generator=generator) @ factor)
        return torch.stack(drawn)
