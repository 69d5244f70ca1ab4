"""What mixtures are compared with: other ways to make the network of an instance from a latent vector.

Both have the interface of `MixtureFamily` that fitting images needs: `values(latents, points)`, and a size of codes.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.fields.mixture import GREY
from manyfields.fields.siren import evaluate, layer_sizes, numbers_of, siren_start

COORDINATES, COLOURS = 2, 3


class Film(nn.Module):
    """One SIREN for all instances, whose layers are shifted by projections of a latent vector (Functa, Dupont et al.
    2022, section 3.1: h = sin(w0 (W h + b + s)), s = T phi)."""

    def __init__(self, width: int, hidden_layers: int, latent: int, w0: float, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes, self.w0, self.code_size = layer_sizes(COORDINATES, width, hidden_layers, COLOURS), w0, latent
        drawn = siren_start(self.sizes, 1, w0, generator)
        self.layers = nn.ParameterList(nn.Parameter(layer) for layer in drawn)
        self.projection = nn.Linear(latent, width * (hidden_layers + 1), bias=False)
        with torch.no_grad():
            self.projection.weight.normal_(0.0, 0.1 / latent**0.5 / w0, generator=generator)

    @property
    def network(self) -> int:
        """Numbers that evaluate one instance."""
        return sum(numbers_of(size) for size in self.sizes) + self.projection.out_features

    def values(self, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        shifts = self.projection(latents).view(len(latents), 1, len(self.sizes) - 1, -1)
        values, last = points, len(self.sizes) - 1
        for index, ((inputs, outputs), numbers) in enumerate(zip(self.sizes, self.layers, strict=True)):
            matrix = numbers[0, : inputs * outputs].view(outputs, inputs)
            values = functional.linear(values, matrix, numbers[0, inputs * outputs :])
            if index < last:
                values = torch.sin(self.w0 * (values + shifts[:, :, index]))
        return values + GREY


class HyperNetwork(nn.Module):
    """A network that puts out the numbers of each instance's SIREN (as in GEM, Du et al. 2021), beside a mean one."""

    def __init__(
        self, width: int, hidden_layers: int, latent: int, w0: float, generator: torch.Generator, hidden: int = 512
    ) -> None:
        super().__init__()
        self.sizes, self.w0, self.code_size = layer_sizes(COORDINATES, width, hidden_layers, COLOURS), w0, latent
        self.mean = nn.ParameterList(nn.Parameter(layer) for layer in siren_start(self.sizes, 1, w0, generator))
        self.trunk = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(hidden, layer.shape[1]) for layer in self.mean)
        with torch.no_grad():
            for layer in (self.trunk[0], self.trunk[2]):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            for head, mean in zip(self.heads, self.mean, strict=True):
                # Instances differ from the mean by a tenth of its numbers at first.
                head.weight.normal_(0.0, 0.1 * float(mean.std()) / hidden**0.5, generator=generator)
                head.bias.zero_()

    @property
    def network(self) -> int:
        return sum(numbers_of(size) for size in self.sizes)

    def values(self, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        inner = self.trunk(latents)
        networks = [mean + head(inner) for mean, head in zip(self.mean, self.heads, strict=True)]
        return evaluate(self.sizes, networks, points, self.w0) + GREY
