"""Transform coding of the basis grids of factor fields, as planes of tensor fields are coded.

Neural NeRF Compression (2024), table 7: basis grids are coded, coefficients are stored as numbers.
"""

import torch
from torch import Tensor, nn

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.compression.transform.latents import kept_latents
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.field import FactorFamily
from manyfields.families.factor_fields.grids import FactorGrids
from manyfields.families.factor_fields.importance import basis_importance
from manyfields.families.factor_fields.transform.scene import CodedFactors, factors_of, level_scales, level_volumes
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.fitting.transform.latents import bytes_by_density, tables_of_density
from manyfields.fitting.transform.loop import TransformLoop
from manyfields.fitting.transform.model import TransformModel
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.rendering import Sampler, importance_weights
from manyfields.shared_part import SharedPart

NOT_HERE = ("encoder", "hyperprior", "network", "end_to_end")


class FactorTransformFitter(TransformLoop[CodedFactors]):
    """Codes the scene `grids` of one object against its views. The network of `shared` stays as it is.

    One decoder makes the grids of all levels: those with fewer channels take its first ones. They are brought to the
    same loudness before, and their error is that of such grids. Raises ConfigError for variants that are for planes.
    """

    def __init__(
        self,
        shared: SharedPart[FactorFamily],
        item: FittingObject,
        grids: FactorGrids,
        sampler: Sampler,
        settings: TransformSettings,
        seed: int = 0,
        *,
        half: bool = False,
    ) -> None:
        check_settings(settings)
        self.shared, self.item, self.grids = shared, item, grids
        self.sampler, self.settings, self.seed = sampler, settings, seed
        self.loss = SceneLoss(shared, grids, item, sampler, rays=settings.rays, half=half, seed=seed)
        self.network = self.loss.shared.family
        self.guides = None
        self.scales = level_scales(grids)
        self.planes = level_volumes(grids, self.scales)
        self.importance = self._importance() if settings.importance else [torch.ones(1, 1, 1)] * len(grids.bases)
        generator = torch.Generator().manual_seed(stable_seed(seed, "transform", item.id))
        self.model = TransformModel(self.planes, settings, generator)
        numbers, bits = grids.coefficients.detach().flatten(), settings.vector_bits
        stored = decode_network(encode_network(numbers, bits), len(numbers), bits).view(grids.coefficients.shape)
        self.vectors = nn.ParameterList([nn.Parameter(stored.clone(), settings.vectors_learn)])
        self.optimizer = self.new_optimizer()

    @torch.no_grad()
    def scene(self) -> CodedFactors:
        masks, latents = self.model.masks(), self.model.whole_latents()
        config = self.shared.family.config
        return CodedFactors(
            self.grids.box,
            self.grids.mask,
            config.sides,
            config.widths,
            self.scales,
            self.vectors[0].detach().clone(),
            self.settings.vector_bits,
            self.model.decoder.whole(),
            tuple(masks),
            tuple(latents),
            tables_of_density(self.model.density, kept_latents(latents, masks)),
        )

    def estimated_bytes(self) -> float:
        """What the latents of `scene` take by their learned density."""
        return bytes_by_density(self.model.density, kept_latents(self.model.whole_latents(), self.model.masks()))

    def grids_of(self, planes: list[Tensor]) -> FactorGrids:
        return factors_of(planes, self.scales, self.vectors[0], self.grids.box, self.grids.mask)

    def _importance(self) -> list[Tensor]:
        rays, weights = self.rays_of_importance()
        field = self.shared.family.field(self.grids.codes())
        bounds, guide = self.loss.data.bounds, self.loss.guide
        scores = basis_importance(field, rays, weights, self.sampler, bounds=bounds, guide=guide)
        return list(importance_weights(scores))


def check_settings(settings: TransformSettings) -> None:
    """Raises ConfigError for variants that are not for factor fields."""
    for name in NOT_HERE:
        if getattr(settings, name):
            raise ConfigError(f"{name}: transform coding of factor fields does not have it")
