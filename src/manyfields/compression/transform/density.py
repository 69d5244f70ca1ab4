"""What latents cost: a learned density for each channel, the same at all texels.

    P(z) = F(z + 1/2) - F(z - 1/2),   F = a mixture of logistic distributions of the channel

The fully factorised prior of Balle et al. (2018), with a mixture in the place of their network: nine numbers a channel
and as many exponentials of a latent. Between whole numbers this is the density of latent plus uniform noise, by which
it learns; at whole numbers it gives the frequencies that a file has.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

COMPONENTS = 3
LEAST = 2.0**-40  # probability, for logarithms
COUNTS = 1 << 30
NARROWEST = -4.0  # logarithm of a scale


class FactorisedDensity(nn.Module):
    """Densities of C channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(channels, COMPONENTS))
        self.log_scales = nn.Parameter(torch.tensor([-2.0, -0.5, 1.0]).repeat(channels, 1))
        self.logits = nn.Parameter(torch.zeros(channels, COMPONENTS))

    def cumulated(self, values: Float[Tensor, "C n"]) -> Float[Tensor, "C n"]:
        """F."""
        return (self._shares() * torch.sigmoid(self._standard(values))).sum(-1)

    def probabilities(self, values: Float[Tensor, "C n"]) -> Float[Tensor, "C n"]:
        low, high = self._standard(values - 0.5), self._standard(values + 0.5)
        # On the side of a mean where both sigmoids are small: their difference then has all its digits.
        sign = -torch.sign(low + high).detach()
        masses = (torch.sigmoid(sign * high) - torch.sigmoid(sign * low)).abs()
        return (self._shares() * masses).sum(-1)

    def bits(self, values: Float[Tensor, "C n"]) -> Float[Tensor, "C n"]:
        """-log2 P."""
        return -self.probabilities(values).clamp(min=LEAST).log2()

    @torch.no_grad()
    def counts(self, lows: Int[Tensor, " C"], highs: Int[Tensor, " C"]) -> tuple[Int[Tensor, "C K"], int]:
        """How often, of 2^30 times, each whole number occurs that lies between a channel's two; 0 beyond them.

        The first of the K columns is the whole number given with them: the lowest of all channels. All lie near 0, so
        that 0 is among them.
        """
        first, last = min(0, int(lows.min())), max(0, int(highs.max()))
        whole = torch.arange(first, last + 1)
        found = self.probabilities(whole.float().repeat(len(lows), 1)).double()
        inside = (whole >= lows[:, None]) & (whole <= highs[:, None])
        return torch.where(inside, (found * COUNTS).round().long().clamp(min=1), 0), first

    def _shares(self) -> Float[Tensor, "C 1 3"]:
        return torch.softmax(self.logits, -1).unsqueeze(1)

    def _standard(self, values: Float[Tensor, "C n"]) -> Float[Tensor, "C n 3"]:
        scales = self.log_scales.clamp(min=NARROWEST).exp().unsqueeze(1)
        return (values.unsqueeze(-1) - self.means.unsqueeze(1)) / scales
