"""Mixtures of implicit functions (mNIF, You et al. 2023): an object is a weighted average of networks that all share.

    a = (T phi + 1) / M,   W_i = sum_m a_m^i W_m^i,   b_i = sum_m a_m^i b_m^i      (equations 8 to 10)

The networks are averaged first, one product of matrices for each layer, and the average is evaluated: a point costs the
same whatever M is. A latent vector phi is all that an object owns. T is M times that of the paper, which is the same
but for the rates that it learns by.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.errors import ConfigError
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.march import error_in_parts
from manyfields.families.mixture.siren import evaluate, siren_start
from manyfields.fields import Field
from manyfields.fields.codes import Codes
from manyfields.fields.samples import Samples

GREY = 0.5  # colour of a value of 0


class MixtureFamily(nn.Module):
    """The shared part of the family: basis networks, and the projection from latent vectors to coefficients.

    >>> family = MixtureFamily(MixtureConfig(hidden_layers=2, width=8, bases=4, latent=6))
    >>> field = family.field(family.new_codes(3))
    >>> field(torch.zeros(3, 5, 3)).density.shape
    torch.Size([3, 5])
    """

    start: Tensor

    def __init__(self, config: MixtureConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        count = config.bases
        # An average of M independent draws is sqrt(M) times smaller than each, and an average network that does not
        # start as a SIREN does not learn as one: the basis networks start as much larger.
        drawn = siren_start(config.sizes, count, config.w0, generator)
        self.bases = nn.ParameterList(nn.Parameter(count**0.5 * layer) for layer in drawn)
        self.projection = None
        if config.coefficients == "latent":
            self.projection = nn.Linear(config.latent, count * len(config.sizes))
            with torch.no_grad():
                # M times the coefficients, so that one rate suits every M.
                spread = config.start_spread / config.code_spread / config.latent**0.5
                self.projection.weight.normal_(0.0, spread, generator=generator)
                self.projection.bias.fill_(1.0)
        self.register_buffer("start", torch.zeros(config.code_size))

    def new_codes(self, count: int, generator: torch.Generator | None = None) -> Codes:
        """Random codes, to learn together with the shared part: (B = count)."""
        scale = self.config.code_spread if self.projection is not None else self.config.start_spread
        return Codes({"latent": scale * torch.randn(count, self.config.code_size, generator=generator)})

    def codes_at(self, coordinates: Float[Tensor, "B H"]) -> Codes:
        """Codes to learn from whose numbers are given, in the place of random ones: they have a mean square of 1."""
        return Codes({"latent": coordinates * (1.0 if self.projection is not None else self.config.start_spread)})

    def average_codes(self, count: int) -> Codes:
        """Codes of the average object, from which a new object is fitted once the shared part is trained."""
        return Codes({"latent": self.start.expand(count, -1).clone()})

    @torch.no_grad()
    def remember_average(self, codes: Codes) -> None:
        """Make the mean of fitted codes the start of later ones."""
        self.start.copy_(codes.tensors["latent"].mean(0))

    def balance(self, codes: Codes) -> Codes:
        """Codes as they are: nothing has to be turned before codes are fitted to a frozen shared part."""
        return codes

    def coefficients(self, latents: Float[Tensor, "B H"]) -> Float[Tensor, "B L M"]:
        """Weights of the M bases in each of the L layers (input and output layer included)."""
        layers, count = len(self.config.sizes), self.config.bases
        if self.projection is not None:
            return self.projection(latents).view(-1, layers, count) / count
        return ((latents.view(len(latents), -1, count) + 1.0) / count).expand(-1, layers, -1)

    def networks(self, latents: Float[Tensor, "B H"]) -> list[Float[Tensor, "B _"]]:
        """The numbers of each object's own network, layer by layer: all that evaluation needs.

        Under autocast those between the first and the last are halves, as `evaluate` multiplies them.
        """
        last, kind = len(self.bases) - 1, latents.device.type
        with torch.autocast(kind, enabled=False):
            weights = self.coefficients(latents).unbind(1)
            ends = {index: weights[index] @ self.bases[index] for index in {0, last}}
        return [ends[i] if i in ends else weights[i] @ base for i, base in enumerate(self.bases)]

    def values(self, latents: Float[Tensor, "B H"], points: Float[Tensor, "B N D"]) -> Float[Tensor, "B N K"]:
        """What images and voxels are: RGB, or occupancy, at points of [-1, 1]^D. Neither is clamped to [0, 1]."""
        return self.read(self.networks(latents), points)

    def values_of(self, codes: Codes, points: Float[Tensor, "B N D"]) -> Float[Tensor, "B N K"]:
        """`values` of stored or fitted codes (B)."""
        return self.values(codes.tensors["latent"], points)

    def read(self, networks: list[Float[Tensor, "B _"]], points: Float[Tensor, "B N D"]) -> Float[Tensor, "B N K"]:
        """`values` of networks that are at hand already."""
        return evaluate(self.config.sizes, networks, points, self.config.w0) + GREY

    def field(
        self, codes: Codes, level: Tensor | int | None = None, bounds: Float[Tensor, "B 2 3"] | None = None
    ) -> "MixtureField":
        """The fields of scenes, whatever their `bounds` are; there is one level.

        Raises ConfigError where the instances are images or voxels.
        """
        if self.config.signal != "scenes":
            raise ConfigError(f"this mixture holds {self.config.signal}: they have no views to render")
        return MixtureField(self, self.networks(codes.tensors["latent"]))

    def hull(self, codes: Codes, bounds: Float[Tensor, "B 2 3"], level: Tensor | int | None = None) -> None:
        """Not known: a code is a latent vector alone."""
        return None


class MixtureField(Field):
    """Fields of B scenes, given by the numbers of their networks.

    >>> family = MixtureFamily(MixtureConfig(hidden_layers=2, width=8, bases=4, latent=6))
    >>> field = MixtureField(family, family.networks(torch.zeros(3, 6)))
    >>> len(field), len(field[1])
    (3, 1)
    """

    channels = 3

    def __init__(self, family: MixtureFamily, networks: list[Float[Tensor, "B _"]]) -> None:
        self.family = family
        self.networks = networks

    def __len__(self) -> int:
        return len(self.networks[0])

    def __getitem__(self, row: int) -> "MixtureField":
        """The field of one object (B = 1)."""
        if not 0 <= row < len(self):
            raise IndexError(f"object {row} of {len(self)}")
        return MixtureField(self.family, [layer[row : row + 1] for layer in self.networks])

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Tensor | None = None) -> Samples:
        """Density and colour at points in the cube [-1, 1]^3: the same from all sides (appendix A.2.3).

        Colours are the values as they are, not kept within [0, 1]; density is an ELU, shifted above 0.
        """
        config = self.family.config
        values = evaluate(config.sizes, self.networks, points, config.w0)
        raised = config.density_steepness * values[..., 3] - config.density_shift
        return Samples(config.density_gain * (functional.elu(raised) + 1.0), values[..., :3] + GREY)

    def march_error(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
        colors: Float[Tensor, "B R C"],
        scales: Float[Tensor, "B R"],
        background: Float[Tensor, " C"],
    ) -> Float[Tensor, ""]:
        rays = (origins, directions, distances, lengths, colors, scales)
        if not torch.is_grad_enabled():
            return super().march_error(*rays, background)
        return error_in_parts(lambda networks: MixtureField(self.family, networks), self.networks, rays, background)
