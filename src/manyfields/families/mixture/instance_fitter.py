"""The fitting loop of mixtures of images or voxels: meta-learning, or auto-decoding (mNIF, algorithms 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from manyfields.families.mixture.adaptation import AdaptationSettings, adapted, errors
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.fitter import parts_of
from manyfields.fields import Codes
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.phases import Phase
from manyfields.fitting.set_fitter import Seen, SetFitter, Step
from manyfields.shared_part import SharedPart

POINTS_AT_ONCE = 1 << 16


@dataclass
class InstanceFitter(SetFitter[InstanceData]):
    """Fits the bases and the projection in `shared`, and with auto-decoding the latent vectors in `store`."""

    shared: SharedPart[MixtureFamily]
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)

    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        return parts_of(self.shared.family, phase)

    def look(self, step: Step) -> Seen:
        phase, family, generator = step.phase, self.shared.family, step.generator
        points, values = self.data.draw(step.taken, phase.rays_per_object, generator)
        latents = step.codes.tensors["latent"]
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            if self.settings.meta:
                # From anew each time: as algorithm 1, and unlike CAVIA, from a random place.
                latents = family.new_codes(len(step.rows), generator).tensors["latent"].to(self.data.device)
                latents = self._inner(latents, points, values, self.settings.inner_steps)
            losses = {"values": phase.rgb * errors(family, latents, points, values).mean()}
        if phase.code_decay and not self.settings.meta:
            losses["codes"] = phase.code_decay * latents.square().mean()
        return Seen(family, losses, {})

    def _inner(self, latents: Tensor, points: Tensor, values: Tensor, steps: int) -> Tensor:
        second_order = self.settings.adaptation == "meta" and torch.is_grad_enabled()
        rate = self.settings.inner_rate
        return adapted(self.shared.family, latents, points, values, steps=steps, rate=rate, second_order=second_order)

    def keeping(self) -> "InstanceFitter":
        """A fitter by auto-decoding that starts from the latent vectors that this one has now."""
        store = CodeStore(self.codes_of(range(len(self.data))))
        return replace(self, store=store, settings=replace(self.settings, adaptation="auto-decoding"))

    def finish(self, frozen: bool) -> None:
        """Likewise; but meta-learning starts from 0, also what it has never seen."""
        if not self.settings.meta:
            super().finish(frozen)

    def codes_of(self, rows: Sequence[int]) -> Codes:
        """The codes of some instances: as they have learned, or adapted to all of their cells from the average."""
        if not self.settings.meta:
            return super().codes_of(rows)
        found = []
        at_once = max(1, POINTS_AT_ONCE // len(self.data.points))
        for some in torch.tensor(list(rows), device=self.data.device).split(at_once):
            start = self.shared.family.average_codes(len(some)).tensors["latent"]
            with torch.no_grad():
                found.append(self._inner(start, *self.data.whole(some), self.settings.stored_steps))
        return Codes({"latent": torch.cat(found)})
