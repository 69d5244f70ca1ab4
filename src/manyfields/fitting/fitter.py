"""The fitting loop: one step, and phases made of steps, for the shared part and the codes of a stage or wave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from manyfields.cameras import Cameras
from manyfields.errors import RunError
from manyfields.fields import Codes, FusedPlanes, PlaneField
from manyfields.fitting import checkpoints
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import Batch, FittingData, rows_of_step, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN, Guides
from manyfields.fitting.phases import MARGIN, Phase
from manyfields.latents.shared_part import Pictures, SharedPart
from manyfields.rendering import Sampler, color_error

PLACES_OUTSIDE = 512
STEPS_PER_LOOK = 4  # outside the hull: less often and for more, because its gradients reach all planes
SHORT_STRETCH = 0.05


def has_fast_bf16(device: torch.device) -> bool:
    """Whether 16-bit brain floats are faster than float32 here."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()


@dataclass
class Fitter:
    """Fits `store` (codes) and the learning parts of `shared` to `data`, phase after phase.

    Every random choice of a step comes from (seed, phase, step), so the state after a step depends on the state before
    it and nothing else: a run resumed from any checkpoint ends with the same bits on the same machine.
    """

    shared: SharedPart[FusedPlanes]
    data: FittingData
    store: CodeStore
    sampler: Sampler
    seed: int = 0
    half: bool = False
    """Mixed precision: networks in bf16, compositing and codes in float32."""
    batch_statistics: bool = False
    """Whiten latents by each batch's own statistics, for training an autoencoder from scratch."""
    optimizer: torch.optim.Optimizer | None = field(default=None, init=False)
    guides: Guides | None = field(default=None, init=False)
    _table: Tensor | None = field(default=None, init=False, repr=False)
    """Planes of all objects, for phases in which micro planes alone learn: what does not change is mixed once."""

    def __post_init__(self) -> None:
        side = self.shared.family.config.hull
        if side:
            self.guides = Guides(self.data.objects, side, self.data.device)
            self.store.codes["hull"] = self.guides.hulls

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: which parts learn, a fresh optimizer, cached latents where the phase reads them."""
        groups = []
        for name, (parameters, rate) in self._parts(phase).items():
            for parameter in parameters:
                parameter.requires_grad_(rate > 0)
            if rate > 0 and parameters:
                groups.append({"params": parameters, "lr": rate, "rate": rate, "name": name})
        device = self.data.device.type
        fused = device in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), fused=fused) if groups else None
        self.store.reset_moments()
        if self.guides is not None:
            self.guides.reset()
        self._table = self._planes_of_all() if self._is_micro_alone(phase) else None
        if phase.latent and not phase.trains_encoder and self.shared.autoencoder is not None:
            self.data.cache_latents(self.shared.autoencoder, self.half)

    def step(self, phase: Phase, index: int) -> dict[str, float]:
        """One optimisation step; returns its losses."""
        generator = torch.Generator().manual_seed(stable_seed(self.seed, phase.name, index))
        rows = rows_of_step(len(self.data), phase.objects_per_step, index, stable_seed(self.seed, phase.name))
        taken = torch.tensor(rows, device=self.data.device)
        codes = self.store.take(taken)
        level = self._draw_level(len(codes), phase, generator)
        layers = self.shared.family.config.layers
        plane_field = self._field_of(codes, taken, level)
        if self.shared.autoencoder is None:
            losses = self._ray_losses(phase, rows, plane_field, generator, index)
        else:
            batch = self.data.draw(rows, phase.views_of_a_step(len(self.data)), generator)
            losses = self._view_losses(phase, batch, plane_field, generator)
        if phase.smoothness:
            losses["smoothness"] = phase.smoothness * roughness(plane_field.planes)
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        if self.guides is not None and index % STEPS_BETWEEN == 0:
            finest = None if level is None else (level.max() if phase.coarse_share == 1.0 else len(layers))
            whole = {number: row for number, row in enumerate(rows) if level is None or level[number] == finest}
            with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
                self.guides.refresh(plane_field, self.data.bounds[taken], whole, generator)
        if index % STEPS_BETWEEN == 0:
            self._check_finite(codes, phase, index)
        factor = phase.rate_factor(index)
        if self.optimizer is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = group["rate"] * factor
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        rates = {"weights": phase.weights_rate, "bias": phase.weights_rate, "micro": phase.codes_rate}
        self.store.update(taken, codes, {name: rate * factor for name, rate in rates.items()})
        if self._table is not None:
            self._table[taken, ..., : self.shared.family.config.micro_features] = self.store.codes["micro"][taken]
        return {name: value.item() for name, value in losses.items()}

    def _check_finite(self, codes: Codes, phase: Phase, index: int) -> None:
        """Compiled kernels render something even of what is no number: a fit that has diverged must not look well."""
        learned = [codes.tensors[name] for name in self.store.first]
        for tensor in (*learned, *self.shared.family.parameters()):
            if not bool(torch.isfinite(tensor.detach().sum())):
                raise RunError(
                    f"phase {phase.name!r} diverged before step {index}: codes or the shared part are no numbers any "
                    "more; fit again with lower rates in its phase"
                )

    def run(
        self, phase: Phase, start: int = 0, after_step: Callable[[int, dict[str, float]], None] | None = None
    ) -> None:
        """Steps `start` to the end of a phase that has begun."""
        for index in range(start, phase.steps):
            losses = self.step(phase, index)
            if after_step is not None:
                after_step(index + 1, losses)

    def codes_of(self, rows: Sequence[int]) -> Codes:
        """The codes of some objects as they are now."""
        return self.store.all()[rows]

    @torch.no_grad()
    def pictures(self, row: int, cameras: Cameras, sampler: Sampler) -> Pictures:
        """Views (V,) of one object as it is now: a quick look, in the precision of the fit."""
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            guide = None if self.guides is None else self.guides.values[row : row + 1]
            cameras = cameras.to(self.data.device)
            bounds = self.data.bounds[row : row + 1]
            return self.shared.pictures(self.codes_of([row]), cameras[None], bounds, sampler, guide=guide)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, besides the seed and the step's number."""
        return {
            **checkpoints.pack("shared", self.shared.state_dict()),
            **checkpoints.pack("codes", self.store.state()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            **({} if self.guides is None else {"guides": self.guides.values}),
        }

    def load_shared(self, tensors: dict[str, Tensor]) -> None:
        """Restore the shared part of `state`: what `begin` prepares depends on it."""
        self.shared.load_state_dict(checkpoints.unpack("shared", tensors))

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Restore `state`, after `begin` with the same phase; without `optimizer` where it is that of a phase done."""
        self.load_shared(tensors)
        self.store.load(checkpoints.unpack("codes", tensors))
        if self.guides is not None:
            self.guides.values.copy_(tensors["guides"])
        if not optimizer:
            self.store.reset_moments()
        elif self.optimizer is not None:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))
        if self._table is not None:
            self._table = self._planes_of_all()

    def _is_micro_alone(self, phase: Phase) -> bool:
        config = self.shared.family.config
        frozen = not (phase.weights_rate or phase.base_rate or phase.coarse_share)
        return bool(config.micro_features and config.macro_features and frozen)

    @torch.no_grad()
    def _planes_of_all(self) -> Tensor:
        return self.shared.family.planes(self.store.all())

    def _field_of(self, codes: Codes, taken: Tensor, level: Tensor | None) -> PlaneField:
        """The fields of the objects `taken`, with gradients to their codes."""
        family, bounds = self.shared.family, self.data.bounds[taken]
        if self._table is None:
            with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
                return family.field(codes, level, bounds)
        inside = bounds if family.config.span == "box" else None
        return PlaneField(family, self._table, inside, rows=taken, learned=codes.tensors["micro"])

    def _parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        family, autoencoder = self.shared.family, self.shared.autoencoder
        fields = [*family.hidden.parameters(), *family.output.parameters()]
        if autoencoder is not None:
            fields.append(self.shared.background)  # that of RGB is the white that views are composited on
        parts: dict[str, tuple[list[nn.Parameter], float]] = {
            "base": ([] if family.base is None else [family.base], phase.base_rate),
            "fields": (fields, phase.fields_rate),
        }
        if autoencoder is not None:
            parts["decoder"] = (list(autoencoder.decoder.parameters()), phase.decoder_rate)
            parts["encoder"] = (list(autoencoder.encoder.parameters()), phase.encoder_rate)
        return parts

    def _draw_level(self, count: int, phase: Phase, generator: torch.Generator) -> Tensor | None:
        """Layers present for each object of a step: finer ones more often (DESIGN.md, decision 6)."""
        config = self.shared.family.config
        if not (config.macro_features and config.micro_features and phase.coarse_share):
            return None
        coarse = torch.rand(count, generator=generator) < phase.coarse_share
        return (len(config.layers) - coarse.long()).to(self.data.device)

    def _view_losses(
        self, phase: Phase, batch: Batch, plane_field: PlaneField, generator: torch.Generator
    ) -> dict[str, Tensor]:
        autoencoder = self.shared.autoencoder
        assert autoencoder is not None
        losses: dict[str, Tensor] = {}
        counts: tuple = ()
        if phase.crop and phase.crop < min(batch.images.shape[-2:]) // self.shared.stride:
            batch, counts = self._window(phase.crop, batch, generator)
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            seen = self.shared.pictures_of(
                plane_field, batch.cameras, batch.bounds, self.sampler, generator=generator, decode=False
            )
            rendered = seen.latents.flatten(0, 1)
            images = (batch.images.float() / 255.0).flatten(0, 1) if phase.rgb or phase.trains_encoder else None
            if phase.trains_encoder:
                assert images is not None
                count = max(1, round(phase.encoder_share * len(images)))
                picked = torch.randperm(len(images), generator=generator)[:count].to(images.device)
                encoded = autoencoder.encode(images[picked], self.batch_statistics)
                decoded = autoencoder.decode(torch.cat([rendered, encoded]))
                losses["latent"] = phase.latent * functional.mse_loss(rendered[picked], encoded)
                losses["rgb"] = phase.rgb * functional.mse_loss(decoded[: len(images)], images)
                losses["autoencoder"] = phase.autoencoder * functional.mse_loss(decoded[len(images) :], images[picked])
            else:
                if phase.latent:
                    assert batch.latents is not None
                    losses["latent"] = phase.latent * functional.mse_loss(rendered, batch.latents.flatten(0, 1))
                if phase.rgb:
                    assert images is not None
                    decoded = autoencoder.decode(rendered)
                    losses["rgb"] = phase.rgb * functional.mse_loss(decoded[(..., *counts)], images[(..., *counts)])
        return losses

    def _window(self, side: int, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[slice, slice]]:
        """A random window of a step's views, and the rows and columns of its pixels that count."""
        stride = self.shared.stride
        parts, first = [], []
        for size in batch.images.shape[-2:]:
            most = size // stride - side
            start = int(torch.randint(most + 1, (1,), generator=generator))
            # At the border of the image nothing is beyond.
            parts.append(slice(MARGIN * stride if start else 0, -MARGIN * stride if start < most else None))
            first.append(start)
        return batch.cropped(first[1], first[0], side, stride), (parts[0], parts[1])

    def _ray_losses(
        self,
        phase: Phase,
        rows: list[int],
        plane_field: PlaneField,
        generator: torch.Generator,
        index: int,
    ) -> dict[str, Tensor]:
        """Random rays of all training views: what a family in RGB space learns from."""
        taken = torch.tensor(rows, device=self.data.device)
        rays, colors, weights = self.data.pool.draw(taken, phase.rays_of_a_step(len(self.data)), generator)
        bounds = self.data.bounds[taken]
        guide = None if self.guides is None else self.guides.values[taken]
        losses = {}
        with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
            losses["rgb"] = phase.rgb * color_error(
                plane_field,
                rays,
                colors,
                self.sampler.at(index / max(1, phase.steps)),
                bounds=bounds,
                guide=guide,
                background=self.shared.background,
                weights=weights,
                generator=generator,
            )
            if phase.emptiness and guide is not None:
                nothing = bounds.new_zeros(())
                looks = index % STEPS_PER_LOOK == 0
                filled = self._filled_outside(plane_field, rows, bounds, generator) if looks else nothing
                losses["emptiness"] = STEPS_PER_LOOK * phase.emptiness * filled
        return losses

    def _filled_outside(
        self, plane_field: PlaneField, rows: list[int], bounds: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Opacity of a short stretch at random places of the box outside the hull, where no ray is ever sampled.

        Layer 0 comes without a hull: its field has to be empty there by itself.
        """
        assert self.guides is not None
        hulls = self.guides.hulls[rows]
        side = hulls.shape[-1]
        places = torch.rand(len(rows), PLACES_OUTSIDE, 3, generator=generator).to(bounds.device)
        cells = (places * side).long()
        flat = (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]
        outside = hulls.flatten(1).gather(1, flat) == 0
        density = plane_field(bounds[:, :1] + places * (bounds[:, 1:] - bounds[:, :1])).density
        return ((1.0 - torch.exp(-density * SHORT_STRETCH)) * outside).mean()

    def describe(self) -> dict[str, Any]:
        """What this fitter works on, for logs."""
        return {"objects": len(self.data), "views": self.data.views, "bf16": self.half, "device": str(self.data.device)}


def roughness(planes: Tensor) -> Tensor:
    """Mean squared difference of neighbouring samples of planes (B, 3, H, W, C): squared total variation."""
    rows = (planes[:, :, 1:] - planes[:, :, :-1]).square().mean()
    columns = (planes[:, :, :, 1:] - planes[:, :, :, :-1]).square().mean()
    return rows + columns
