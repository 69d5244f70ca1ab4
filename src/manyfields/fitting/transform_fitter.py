"""The loop of transform coding: what the bytes of a scene will hold, learned from its planes and its training views.

    loss = error of colours + error of planes, weighted by importance + lambda * bits of a number

Neural NeRF Compression (2024), equation 9. Errors and bits are means here, over colours and over the numbers of the
planes, so that a lambda means the same for scenes of all sizes.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.compression.transform_hyper import CLASSES
from manyfields.compression.transform_latents import kept_latents
from manyfields.compression.transform_scene import CodedScene, grids_of, latent_sizes, stacked_planes
from manyfields.errors import ConfigError, RunError
from manyfields.fields import TensorCodes, TensorFamily, TensorGrids
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.guides import STEPS_BETWEEN
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.fitting.transform_hyper_learning import class_bits
from manyfields.fitting.transform_learned import LearnedTransform
from manyfields.fitting.transform_learning import TransformModel
from manyfields.fitting.transform_settings import TransformSettings
from manyfields.fitting.transform_start import guides_inside, started_anew, stored_vectors
from manyfields.fitting.transform_tables import bytes_by_density, bytes_by_tables, tables_of_classes, tables_of_density
from manyfields.latents import SharedPart
from manyfields.rendering import Sampler, importance_scores, importance_weights

RAYS_OF_IMPORTANCE = 1 << 16
STEPS_BETWEEN_CHECKS = 16
BETAS = (0.9, 0.99)
SHARE_TO_GO_ON = 1 / 4  # of a rate, for what has been learned: as the VQ baseline has it


class TransformFitter:
    """Codes the scene `grids` of one object against its views. `shared` stays as it is: a copy of its network learns.

    Every random choice of a step comes from (seed, object, step). Raises ConfigError for fields without planes (CP).

    `learned`: a codec that was learned from other scenes. Latents and masks alone then learn, from what its encoder
    makes on.
    """

    def __init__(
        self,
        shared: SharedPart[TensorFamily],
        item: FittingObject,
        grids: TensorGrids,
        sampler: Sampler,
        settings: TransformSettings,
        seed: int = 0,
        learned: LearnedTransform | None = None,
        half: bool = False,
    ) -> None:
        """`half`: the network's products in bf16 while learning, as the fit had them."""
        if not grids.density.planes:
            raise ConfigError("fields of vectors alone (CP) have no planes to code")
        generator = torch.Generator().manual_seed(stable_seed(seed, "transform", item.id))
        if settings.end_to_end:
            shared, grids = started_anew(shared, grids, generator)
        self.shared, self.item, self.grids = shared, item, grids
        self.sampler, self.settings, self.seed = sampler, settings, seed
        self.loss = SceneLoss(shared, grids, item, sampler, rays=settings.rays, half=half, seed=seed)
        self.network = self.loss.shared.family.requires_grad_(settings.network_learns)
        self.guides = guides_inside(self.loss, item, grids) if settings.end_to_end else None
        self.planes = stacked_planes(grids)
        self.numbers = sum(plane.numel() for plane in self.planes)
        self.components = (grids.density.components, grids.appearance.components)
        weighted = settings.importance and not settings.end_to_end
        self.importance = self._importance() if weighted else [torch.ones(1, 1)] * 3
        self.model = TransformModel(self.planes, grids.resolution, settings, generator)
        self.learned = learned
        if learned is not None:
            self.model.take(learned.latents(self.planes), learned.common.decoder, learned.density)
        vectors = stored_vectors(grids, settings.vector_bits)
        self.vectors = nn.ParameterList([nn.Parameter(own, settings.vectors_learn) for own in vectors])
        self.optimizer = self._optimizer()

    def run(self, after_step: Callable[[int, dict[str, float]], None] | None = None) -> CodedScene:
        """All steps; what is to be stored."""
        for step in range(self.settings.steps):
            losses = self.step(step)
            if after_step is not None:
                after_step(step + 1, losses)
        return self.scene()

    def step(self, step: int) -> dict[str, float]:
        """One optimisation step; returns its losses: `bits` are those of a number of the planes."""
        settings = self.settings
        generator = torch.Generator().manual_seed(stable_seed(self.seed, "transform", self.item.id, step))
        rounded = step >= round((1.0 - settings.rounded) * settings.steps)
        planes, bits = self.model(settings.temperature(step), rounded, generator)
        grids = self._grids(planes)
        if self.guides is not None and step % STEPS_BETWEEN == STEPS_BETWEEN - 1:
            self.guides.refresh(self.network.field(TensorCodes((grids,))), self.loss.data.bounds, {0: 0}, generator)
        unseen = not settings.end_to_end and step < round(settings.planes_first * settings.steps)
        seen = torch.zeros(()) if unseen else self.loss(grids, "pixels", step)
        error, rate = self._error(planes), bits / self.numbers
        loss = seen + settings.plane_weight * error + settings.price * rate
        loss.backward()
        if step % STEPS_BETWEEN_CHECKS == 0 and not bool(torch.isfinite(loss)):
            raise RunError(f"object {self.item.id}: transform coding diverged at step {step}; use lower rates")
        for group in self.optimizer.param_groups:
            group["lr"] = group["first"] * settings.rate_factor(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {"rgb": seen.item(), "planes": error.item(), "bits": rate.item()}

    @torch.no_grad()
    def scene(self) -> CodedScene:
        """What is learned, as it is to be stored."""
        model, masks, latents = self.model, self.model.masks(), self.model.whole_latents()
        if self.learned is not None:
            latents = [own * mask for own, mask in zip(self.learned.within(latents), masks, strict=True)]
        kept = kept_latents(latents, masks)
        hyper = None
        if self.learned is not None:
            tables = self.learned.common.tables
        elif model.hyper is None:
            tables = tables_of_density(model.density, kept)
        else:
            hyper = model.hyper.coded()
            classes = kept_latents(hyper.classes(latent_sizes(self.grids.resolution)), masks)
            tables = tables_of_classes(kept, classes.flatten().numpy(), CLASSES)
        return CodedScene.of_grids(
            self.grids,
            vectors=tuple(vector.detach().clone() for vector in self.vectors),
            vector_bits=self.settings.vector_bits,
            decoder=model.decoder.whole(),
            masks=tuple(masks),
            latents=tuple(latents),
            tables=tables,
            hyper=hyper,
            network=self._stored_network(),
            network_bits=self.settings.network_bits,
            common=self.learned is not None,
        )

    def estimated_bytes(self) -> float:
        """What the latents of `scene` take by what is learned of them: by their density, or by their classes' widths.

        Tables of classes are those of the latents themselves, so that the file is never larger for it.
        """
        masks = self.model.masks()
        kept = kept_latents(self.model.whole_latents(), masks)
        if self.learned is not None:
            return bytes_by_tables(self.learned.common.tables, kept_latents(self.scene().latents, masks))
        if self.model.hyper is None:
            return bytes_by_density(self.model.density, kept)
        classes = self.model.hyper.coded().classes(latent_sizes(self.grids.resolution))
        return float(class_bits(kept.double(), kept_latents(classes, masks).double()).sum()) / 8

    def _stored_network(self) -> Float[Tensor, " p"] | None:
        """The network that learned, as the file will give it back."""
        if not self.settings.network_learns:
            return None
        numbers, bits = self.network.numbers(), self.settings.network_bits
        return decode_network(encode_network(numbers, bits), len(numbers), bits)

    def _error(self, planes: list[Tensor]) -> Float[Tensor, ""]:
        """Of planes beside those of the run; 0 where nothing is known of these."""
        if self.settings.end_to_end:
            return torch.zeros(())
        errors = [
            ((plane - truth) * weight).square().sum()
            for plane, truth, weight in zip(planes, self.planes, self.importance, strict=True)
        ]
        return torch.stack(errors).sum() / self.numbers

    def _importance(self) -> list[Float[Tensor, "_ _"]]:
        generator = torch.Generator().manual_seed(stable_seed(self.seed, "importance", self.item.id))
        pool, row = self.loss.data.pool, torch.zeros(1, dtype=torch.int64)
        # Pixels at edges are in the pool several times.
        pixels = round(float((1.0 / pool.copies.float()).sum()))
        rays, _, weights = pool.draw(row, min(RAYS_OF_IMPORTANCE, pixels), generator)
        # Scores are those of all training pixels.
        weights = weights[0] * (pixels / len(weights[0]))
        field = self.shared.family.field(TensorCodes((self.grids,)))
        bounds, guide = self.loss.data.bounds, self.loss.guide
        scores = importance_scores(field, rays, weights, self.sampler, bounds=bounds, guide=guide)
        return list(importance_weights(scores))

    def _grids(self, planes: list[Tensor]) -> TensorGrids:
        grids = self.grids
        return grids_of(planes, list(self.vectors), self.components, grids.box, grids.mask, grids.map)

    def _optimizer(self) -> torch.optim.Optimizer:
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
