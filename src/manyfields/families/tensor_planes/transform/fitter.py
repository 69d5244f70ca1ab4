"""Transform coding of the planes of tensor fields: what the bytes of a scene will hold, learned from its views."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.compression.transform.hyperprior import CLASSES
from manyfields.compression.transform.latents import kept_latents
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorFamily
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.importance import importance_scores
from manyfields.families.tensor_planes.stacked_planes import stacked_planes
from manyfields.families.tensor_planes.transform import scene as transform_scene
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.scene import CodedScene, latent_sizes
from manyfields.families.tensor_planes.transform.start import guides_inside, started_anew, stored_vectors
from manyfields.fitting.data import FittingObject, stable_seed
from manyfields.fitting.scene_loss import SceneLoss
from manyfields.fitting.transform.hyperprior import class_bits
from manyfields.fitting.transform.latents import bytes_by_density, bytes_by_tables, tables_of_classes, tables_of_density
from manyfields.fitting.transform.loop import TransformLoop
from manyfields.fitting.transform.model import TransformModel
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.rendering import Sampler, importance_weights
from manyfields.shared_part import SharedPart


class TransformFitter(TransformLoop[CodedScene]):
    """Codes the scene `grids` of one object against its views. `shared` stays as it is: a copy of its network learns.

    Raises ConfigError for fields without planes (CP).

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
        self.components = (grids.density.components, grids.appearance.components)
        weighted = settings.importance and not settings.end_to_end
        self.importance = self._importance() if weighted else [torch.ones(1, 1)] * 3
        self.model = TransformModel(self.planes, settings, generator)
        self.learned = learned
        if learned is not None:
            self.model.take(learned.latents(self.planes), learned.common.decoder, learned.density)
        vectors = stored_vectors(grids, settings.vector_bits)
        self.vectors = nn.ParameterList([nn.Parameter(own, settings.vectors_learn) for own in vectors])
        self.optimizer = self.new_optimizer()

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

    def _importance(self) -> list[Float[Tensor, "_ _"]]:
        rays, weights = self.rays_of_importance()
        field = self.shared.family.field(self.grids.codes())
        bounds, guide = self.loss.data.bounds, self.loss.guide
        scores = importance_scores(field, rays, weights, self.sampler, bounds=bounds, guide=guide)
        return list(importance_weights(scores))

    def grids_of(self, planes: list[Tensor]) -> TensorGrids:
        grids = self.grids
        return transform_scene.grids_of(planes, list(self.vectors), self.components, grids.box, grids.mask, grids.map)
