"""The part of a fitting loop that renders: rays of training views, sampled where guides say that something is."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.fitting.data import FittingData
from manyfields.fitting.guides import Guides
from manyfields.fitting.set_fitter import Seen, SetFitter, Step
from manyfields.rendering import Sampler, color_error
from manyfields.shared_part import Pictures


@dataclass
class RayFitter(SetFitter[FittingData]):
    """Fits objects to their views."""

    guides: Guides | None = field(default=None, init=False)

    def taught(self, step: Step, seen: Seen) -> None:
        if self.guides is not None:
            with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
                self.guides.refresh(seen.field, self.data.bounds[step.taken], seen.whole, step.generator)

    def ray_error(self, step: Step, fields: Any) -> Tensor:
        """Of the colours of random rays of all training views: what a family in RGB space learns from."""
        phase, taken = step.phase, step.taken
        pool, count = self.data.pool, phase.rays_of_a_step(len(self.data))
        behind = pool.background(phase.backgrounds, step.generator)
        rays, colors, weights = pool.draw(taken, count, step.generator, behind)
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            return phase.rgb * color_error(
                fields,
                rays,
                colors,
                phase.sampler_of(self.sampler, step.index),
                bounds=self.data.bounds[taken],
                guide=None if self.guides is None else self.guides.values[taken],
                background=self.shared.background if behind is None else behind,
                weights=weights,
                generator=step.generator,
            )

    @torch.no_grad()
    def pictures(self, row: int, cameras: Cameras, sampler: Sampler) -> Pictures:
        """Views (V,) of one object as it is now: a quick look, in the precision of the fit."""
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            cameras = cameras.to(self.data.device)
            bounds = self.data.bounds[row : row + 1]
            # From the codes, not from what guides know of them: just as stored objects are rendered.
            return self.shared.pictures(self.codes_of([row]), cameras[None], bounds, sampler)

    def state(self) -> dict[str, Tensor]:
        return {**super().state(), **({} if self.guides is None else {"guides": self.guides.values})}

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        super().load(tensors, optimizer)
        if self.guides is not None:
            self.guides.values.copy_(tensors["guides"])

    def describe(self) -> dict[str, Any]:
        """What this fitter works on, for logs."""
        return {"objects": len(self.data), "views": self.data.views, "bf16": self.half, "device": str(self.data.device)}
