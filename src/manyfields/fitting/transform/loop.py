"""The loop of transform coding, whatever is coded: planes of tensor fields, or basis grids of factor fields.

    loss = error of colours + error of grids, weighted by importance + lambda * bits of a number

Neural NeRF Compression (2024), equation 9. Errors and bits are means here, over colours and over the numbers of the
grids, so that a lambda means the same for scenes of all sizes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.cameras import Rays
from manyfields.errors import RunError
from manyfields.fields import SceneGrids
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN, Guides
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.fitting.transform.model import TransformModel
from manyfields.fitting.transform.settings import TransformSettings

RAYS_OF_IMPORTANCE = 1 << 16
STEPS_BETWEEN_CHECKS = 16
BETAS = (0.9, 0.99)
SHARE_TO_GO_ON = 1 / 4  # of a rate, for what has been learned: as the VQ baseline has it

Coded = TypeVar("Coded")


class TransformLoop(ABC, Generic[Coded]):
    """Every random choice of a step comes from (seed, object, step)."""

    settings: TransformSettings
    seed: int
    item: FittingObject
    loss: SceneLoss
    network: Any
    """A copy of the colour network, which may learn."""
    guides: Guides | None
    planes: list[Tensor]
    """What is coded, channels first."""
    importance: list[Tensor]
    """Weights of their texels."""
    model: TransformModel
    vectors: nn.ParameterList
    """What is stored beside it as numbers."""
    optimizer: torch.optim.Optimizer

    @abstractmethod
    def scene(self) -> Coded:
        """What is learned, as it is to be stored."""

    @abstractmethod
    def grids_of(self, planes: list[Tensor]) -> SceneGrids:
        """The scene with what a step has made of its latents."""

    def run(self, after_step: Callable[[int, dict[str, float]], None] | None = None) -> Coded:
        """All steps; what is to be stored."""
        for step in range(self.settings.steps):
            losses = self.step(step)
            if after_step is not None:
                after_step(step + 1, losses)
        return self.scene()

    def step(self, step: int) -> dict[str, float]:
        """One optimisation step; returns its losses: `bits` are those of a number of what is coded."""
        settings = self.settings
        generator = torch.Generator().manual_seed(stable_seed(self.seed, "transform", self.item.id, step))
        rounded = step >= round((1.0 - settings.rounded) * settings.steps)
        planes, bits = self.model(settings.temperature(step), rounded, generator)
        grids = self.grids_of(planes)
        if self.guides is not None and step % STEPS_BETWEEN == STEPS_BETWEEN - 1:
            self.guides.refresh(self.loss.shared.family.field(grids.codes()), self.loss.data.bounds, {0: 0}, generator)
        unseen = not settings.end_to_end and step < round(settings.planes_first * settings.steps)
        seen = torch.zeros(()) if unseen else self.loss(grids, "pixels", step)
        error, rate = self._error(planes), bits / sum(plane.numel() for plane in self.planes)
        loss = seen + settings.plane_weight * error + settings.price * rate
        loss.backward()
        if step % STEPS_BETWEEN_CHECKS == 0 and not bool(torch.isfinite(loss)):
            raise RunError(f"object {self.item.id}: transform coding diverged at step {step}; use lower rates")
        for group in self.optimizer.param_groups:
            group["lr"] = group["first"] * settings.rate_factor(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {"rgb": seen.item(), "planes": error.item(), "bits": rate.item()}

    def _error(self, planes: list[Tensor]) -> Float[Tensor, ""]:
        """Of planes beside those of the run; 0 where nothing is known of these."""
        if self.settings.end_to_end:
            return torch.zeros(())
        errors = [
            ((plane - truth) * weight).square().sum()
            for plane, truth, weight in zip(planes, self.planes, self.importance, strict=True)
        ]
        return torch.stack(errors).sum() / sum(plane.numel() for plane in self.planes)

    def rays_of_importance(self) -> tuple[Rays, Float[Tensor, " R"]]:
        """Random training rays, and what each counts: for scores that are those of all training pixels."""
        generator = torch.Generator().manual_seed(stable_seed(self.seed, "importance", self.item.id))
        pool, row = self.loss.data.pool, torch.zeros(1, dtype=torch.int64)
        # Pixels at edges are in the pool several times.
        pixels = round(float((1.0 / pool.copies.float()).sum()))
        rays, _, weights = pool.draw(row, min(RAYS_OF_IMPORTANCE, pixels), generator)
        return rays, weights[0] * (pixels / len(weights[0]))

    def new_optimizer(self) -> torch.optim.Optimizer:
        settings, model = self.settings, self.model
        networks = [*model.decoder.parameters(), *(model.encoder.parameters() if model.encoder else ())]
        entropy = [*model.odds, *(each for each in model.density.parameters() if each.requires_grad)]
        latents = list(model.own)
        if model.hyper is not None:
            latents += model.hyper.own
            entropy += [*model.hyper.density.parameters(), *model.hyper.odds]
            networks += model.hyper.decoder.parameters()
        # Vectors and network that start anew have TensoRF's rates, which are those of latents and of networks.
        anew = settings.end_to_end
        (latents if anew else networks).extend(each for each in self.vectors if each.requires_grad)
        groups = [
            (latents, settings.latent_rate),
            (networks, settings.network_rate),
            (entropy, settings.entropy_rate),
        ]
        if settings.network_learns:
            groups.append((list(self.network.parameters()), (1.0 if anew else SHARE_TO_GO_ON) * settings.color_rate))
        return torch.optim.Adam(
            [{"params": params, "lr": rate, "first": rate} for params, rate in groups if params],
            betas=BETAS,
            fused=True,
        )
