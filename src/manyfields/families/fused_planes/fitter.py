"""The fitting loop of fused planes: whole views through a latent space, or rays in RGB space."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.fields import Codes
from manyfields.fitting.data import Batch
from manyfields.fitting.guides import Guides
from manyfields.fitting.phases import MARGIN, Phase
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.set_fitter import Seen, Step
from manyfields.shared_part import SharedPart

PLACES_OUTSIDE = 512
STEPS_PER_LOOK = 4  # outside the hull: less often and for more, because its gradients reach all planes
SHORT_STRETCH = 0.05


@dataclass
class PlaneFitter(RayFitter):
    """Fits planes: those of objects in `store`, base planes and networks in `shared`."""

    shared: SharedPart[FusedPlanes]
    batch_statistics: bool = False
    """Whiten latents by each batch's own statistics, for training an autoencoder from scratch."""
    _table: Tensor | None = field(default=None, init=False, repr=False)
    """Planes of all objects, for phases in which micro planes alone learn: what does not change is mixed once."""

    def __post_init__(self) -> None:
        side = self.shared.family.config.hull
        if side:
            self.guides = Guides(self.data.objects, side, self.data.device)
            self.store.codes["hull"] = self.guides.hulls

    def begin(self, phase: Phase) -> None:
        """Prepare for a phase: likewise cached latents where the phase reads them."""
        super().begin(phase)
        self._table = self._planes_of_all() if self._is_micro_alone(phase) else None
        if phase.latent and not phase.trains_encoder and self.shared.autoencoder is not None:
            self.data.cache_latents(self.shared.autoencoder, self.half)

    def look(self, step: Step) -> Seen:
        phase, rows, generator = step.phase, step.rows, step.generator
        level = self._draw_level(len(step.codes), phase, generator)
        layers = self.shared.family.config.layers
        plane_field = self._field_of(step.codes, step.taken, level)
        if self.shared.autoencoder is None:
            losses = self._ray_losses(step, plane_field)
        else:
            batch = self.data.draw(rows, phase.views_of_a_step(len(self.data)), generator)
            losses = self._view_losses(phase, batch, plane_field, generator)
        if phase.smoothness:
            losses["smoothness"] = phase.smoothness * roughness(plane_field.planes)
        finest = len(layers) if level is None or phase.coarse_share != 1.0 else level.max()
        whole = {number: row for number, row in enumerate(rows) if level is None or level[number] == finest}
        return Seen(plane_field, losses, whole)

    def moved(self, taken: Tensor) -> None:
        if self._table is not None:
            self._table[taken, ..., : self.shared.family.config.micro_features] = self.store.codes["micro"][taken]

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        super().load(tensors, optimizer)
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

    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
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
        """Layers present for each object of a step: finer ones more often.

        Layer 0 is to show an object before the rest has come, so it has to be trained alone, too.
        """
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

    def _ray_losses(self, step: Step, plane_field: PlaneField) -> dict[str, Tensor]:
        """Random rays of all training views: what a family in RGB space learns from."""
        losses = {"rgb": self.ray_error(step, plane_field)}
        if step.phase.emptiness and self.guides is not None:
            bounds = self.data.bounds[step.taken]
            looks = step.index % STEPS_PER_LOOK == 0
            with torch.autocast(self.data.device.type, torch.bfloat16, enabled=self.half):
                nothing = bounds.new_zeros(())
                filled = self._filled_outside(plane_field, step.rows, bounds, step.generator) if looks else nothing
            losses["emptiness"] = STEPS_PER_LOOK * step.phase.emptiness * filled
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


def roughness(planes: Tensor) -> Tensor:
    """Mean squared difference of neighbouring samples of planes (B, 3, H, W, C): squared total variation."""
    rows = (planes[:, :, 1:] - planes[:, :, :-1]).square().mean()
    columns = (planes[:, :, :, 1:] - planes[:, :, :, :-1]).square().mean()
    return rows + columns
