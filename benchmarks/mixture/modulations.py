"""What mixtures are compared with: other ways to make the network of an instance from a latent vector.

Each is a family that `InstanceFitter` fits as it fits a mixture: `bases` are what learns at the rate of the bases,
`projection` what makes something of latent vectors.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.families.mixture.field import GREY
from manyfields.families.mixture.sines import sine
from manyfields.families.mixture.siren import evaluate, layer_sizes, numbers_of, siren_start
from manyfields.fields import Codes

COORDINATES, COLOURS = 2, 3
SPREAD = 0.1  # of what tells the instances' networks apart, at first


@dataclass(frozen=True)
class Sizes:
    """As `MixtureConfig`, what all of them need."""

    width: int
    hidden_layers: int
    latent: int
    w0: float
    space: str = "rgb"

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        return layer_sizes(COORDINATES, self.width, self.hidden_layers, COLOURS)

    @property
    def code_size(self) -> int:
        return self.latent

    @property
    def numbers(self) -> int:
        """Of one network."""
        return sum(numbers_of(size) for size in self.layers)


class Modulated(nn.Module):
    """Latent vectors start at given coordinates, and those of new instances at the average, as a mixture's do."""

    start: Tensor

    def __init__(self, config: Sizes, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.bases = nn.ParameterList(
            nn.Parameter(layer) for layer in siren_start(config.layers, 1, config.w0, generator)
        )
        self.register_buffer("start", torch.zeros(config.latent))

    def codes_at(self, coordinates: Float[Tensor, "B H"]) -> Codes:
        return Codes({"latent": coordinates})

    def average_codes(self, count: int) -> Codes:
        return Codes({"latent": self.start.expand(count, -1).clone()})

    @torch.no_grad()
    def remember_average(self, codes: Codes) -> None:
        self.start.copy_(codes.tensors["latent"].mean(0))


class Film(Modulated):
    """One SIREN for all instances, whose layers are shifted by projections of a latent vector (Functa, Dupont et al.
    2022, section 3.1: h = sin(w0 (W h + b) + s), s = T phi; w0 is in T)."""

    def __init__(self, config: Sizes, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        self.projection = nn.Linear(config.latent, config.width * (config.hidden_layers + 1), bias=False)
        with torch.no_grad():
            self.projection.weight.normal_(0.0, SPREAD / config.latent**0.5, generator=generator)

    @property
    def network(self) -> int:
        """Numbers that evaluate one instance."""
        return self.config.numbers + self.projection.out_features

    def networks(self, latents: Float[Tensor, "B H"]) -> Float[Tensor, "B L W"]:
        """Of each instance, the shifts of its layers."""
        with torch.autocast(latents.device.type, enabled=False):
            return self.projection(latents).view(len(latents), -1, self.config.width)

    def read(self, shifts: Float[Tensor, "B L W"], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        """Values at points. The first layer and the last are products of float32 under autocast too, as a mixture's."""
        sizes, w0 = self.config.layers, self.config.w0
        values, last = points, len(sizes) - 1
        for index, ((inputs, outputs), numbers) in enumerate(zip(sizes, self.bases, strict=True)):
            matrix, bias = numbers[0, : inputs * outputs].view(outputs, inputs), numbers[0, inputs * outputs :]
            if 0 < index < last:
                angles = functional.linear(values, w0 * matrix)
                values = sine(angles + (w0 * bias + shifts[:, index]).unsqueeze(1).to(angles.dtype))
                continue
            with torch.autocast(points.device.type, enabled=False):
                if index == last:
                    return functional.linear(values.to(points.dtype), matrix, bias) + GREY
                values = sine(functional.linear(values, w0 * matrix) + (w0 * bias + shifts[:, index]).unsqueeze(1))
        raise AssertionError("a network has a last layer")

    def values(self, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        return self.read(self.networks(latents), points)


class HyperNetwork(Modulated):
    """A network that puts out the numbers of each instance's SIREN (as in GEM, Du et al. 2021), beside a mean one."""

    def __init__(self, config: Sizes, generator: torch.Generator, hidden: int = 512) -> None:
        super().__init__(config, generator)
        trunk = nn.Sequential(nn.Linear(config.latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        heads = nn.ModuleList(nn.Linear(hidden, layer.shape[1]) for layer in self.bases)
        self.projection = nn.ModuleDict({"trunk": trunk, "heads": heads})
        with torch.no_grad():
            for layer in (trunk[0], trunk[2]):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            for head, mean in zip(heads, self.bases, strict=True):
                head.weight.normal_(0.0, SPREAD * float(mean.std()) / hidden**0.5, generator=generator)
                head.bias.zero_()

    @property
    def network(self) -> int:
        return self.config.numbers

    def networks(self, latents: Float[Tensor, "B H"]) -> list[Float[Tensor, "B _"]]:
        with torch.autocast(latents.device.type, enabled=False):
            inner = self.projection["trunk"](latents)
            return [mean + head(inner) for mean, head in zip(self.bases, self.projection["heads"], strict=True)]

    def read(self, networks: list[Float[Tensor, "B _"]], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        return evaluate(self.config.layers, networks, points, self.config.w0) + GREY

    def values(self, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N 2"]) -> Float[Tensor, "B N 3"]:
        return self.read(self.networks(latents), points)
