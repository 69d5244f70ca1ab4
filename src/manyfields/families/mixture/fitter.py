"""The fitting loop of mixtures of scenes: latent vectors and basis networks, by auto-decoding (mNIF, algorithm 2).

A step takes random pixels of several objects, and averages the basis networks once for each. Samples are placed by
guides that start at the visual hulls, if objects have them; else they are spread along rays, as in the paper. Codes
have no hulls: a loss keeps fields empty where nothing is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.families.mixture.field import MixtureFamily, MixtureField
from manyfields.fields import Codes
from manyfields.fitting.guides import Guides
from manyfields.fitting.phases import Phase
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.set_fitter import Seen, Step
from manyfields.shared_part import SharedPart

PLACES_OUTSIDE = 512
SHORT_STRETCH = 0.05


@dataclass
class MixtureFitter(RayFitter):
    """Fits the latent vectors in `store`, and the bases and the projection in `shared`."""

    shared: SharedPart[MixtureFamily]

    def __post_init__(self) -> None:
        hulls = [item.hull for item in self.data.objects if item.hull is not None]
        if hulls and self.shared.family.config.guide_side:
            self.guides = Guides(self.data.objects, len(hulls[0]), self.data.device)

    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        return parts_of(self.shared.family, phase)

    def look(self, step: Step) -> Seen:
        phase, latents = step.phase, step.codes.tensors["latent"]
        if phase.code_noise:
            noise = torch.randn(latents.shape, generator=step.generator).to(latents.device)
            latents = latents + phase.code_noise * noise
        fields = self.shared.family.field(Codes({"latent": latents}))
        losses = {"rgb": self.ray_error(step, fields)}
        if phase.emptiness and self.guides is not None:
            losses["emptiness"] = phase.emptiness * self._filled_outside(fields, step)
        if phase.code_decay:
            losses["codes"] = phase.code_decay * step.codes.tensors["latent"].square().mean()
        return Seen(fields, losses, dict(enumerate(step.rows)))

    def _filled_outside(self, fields: MixtureField, step: Step) -> Float[Tensor, ""]:
        """Opacity of a short stretch at random places outside the hulls, half of them in the boxes, half in the cube.

        Nothing but the field itself says later that it is empty there.
        """
        assert self.guides is not None
        count = len(step.rows)
        places = torch.rand(count, PLACES_OUTSIDE, 3, generator=step.generator).to(self.data.device)
        low, high = self.data.bounds[step.taken].unsqueeze(1).unbind(2)
        in_box, in_cube = places.chunk(2, 1)
        points = torch.cat([low + in_box * (high - low), 2.0 * in_cube - 1.0], 1)
        hulls = self.guides.hulls[step.rows]
        side = hulls.shape[-1]
        cells = ((points - low) / (high - low) * side).floor().long()
        within = ((cells >= 0) & (cells < side)).all(-1)
        cells = cells.clamp(0, side - 1)
        flat = (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]
        outside = ~within | (hulls.flatten(1).gather(1, flat) == 0)
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            density = fields(points).density
        return ((1.0 - torch.exp(-density * SHORT_STRETCH)) * outside).mean()


def parts_of(family: MixtureFamily, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
    """What learns of a mixture, and how fast."""
    projection = [] if family.projection is None else list(family.projection.parameters())
    return {"base": (list(family.bases), phase.base_rate), "fields": (projection, phase.fields_rate)}
