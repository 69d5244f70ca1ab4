"""A codec learned from other scenes: an encoder and a density, with the decoder and the tables that scenes share.

    planes ── encoder ──► latents, rounded ── tables of the codec ──► bytes

A new scene takes one pass of the encoder, or steps in which its latents alone go on learning (`TransformFitter`). The
traditional way of neural compression, as Neural NeRF Compression (2024, section 5.1) compares with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from manyfields.compression.transform.density import FactorisedDensity
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.stacked_planes import stacked_planes
from manyfields.families.tensor_planes.transform.scene import CodedScene, CommonTransform
from manyfields.families.tensor_planes.transform.start import stored_vectors
from manyfields.fitting.transform.model import LatentEncoder
from manyfields.fitting.transform.settings import TransformSettings


@dataclass(frozen=True, eq=False)
class LearnedTransform:
    """Everything of it in the numbers that files have."""

    common: CommonTransform
    encoder: LatentEncoder
    density: FactorisedDensity

    @torch.no_grad()
    def latents(self, planes: Sequence[Float[Tensor, "C _ _"]]) -> list[Float[Tensor, "Z _ _"]]:
        """What the encoder makes of planes."""
        return self.encoder(planes)

    def within(self, latents: Sequence[Int[Tensor, "Z _ _"]]) -> list[Int[Tensor, "Z _ _"]]:
        """Whole numbers that the tables have: the nearest of each channel."""
        tables = self.common.tables
        ends = [
            (int(own.nonzero().min()) + tables.lowest, int(own.nonzero().max()) + tables.lowest)
            for own in tables.frequencies
        ]
        low, high = (torch.tensor(each)[:, None, None] for each in zip(*ends, strict=True))
        return [own.clamp(low, high) for own in latents]

    def coded(self, grids: TensorGrids, settings: TransformSettings) -> CodedScene:
        """A scene by the encoder alone; with masks, latents of which all channels are 0 are left out."""
        latents = self.within([own.round().long() for own in self.latents(stacked_planes(grids))])
        masks = occupied(latents) if settings.mask else [torch.ones_like(own[0], dtype=torch.bool) for own in latents]
        return CodedScene.of_grids(
            grids,
            vectors=tuple(stored_vectors(grids, settings.vector_bits)),
            vector_bits=settings.vector_bits,
            decoder=self.common.decoder,
            masks=tuple(masks),
            latents=tuple(latents),
            tables=self.common.tables,
            common=True,
        )

    def encoder_tensors(self) -> dict[str, Tensor]:
        """What new scenes need and decoding does not: the encoder in float16, and the density."""
        encoder = {f"encoder.{name}": tensor.half() for name, tensor in self.encoder.state_dict().items()}
        return {**encoder, **{f"density.{name}": tensor for name, tensor in self.density.state_dict().items()}}

    @staticmethod
    def of(common: CommonTransform, tensors: Mapping[str, Tensor] | None) -> "LearnedTransform":
        """From the codec's file and the tensors of `encoder_tensors`. Raises CollectionError where they do not fit."""
        latent, hidden, channels, _ = common.sizes
        encoder = LatentEncoder(channels, TransformSettings(latent=latent, hidden=hidden), torch.Generator())
        density = FactorisedDensity(latent)
        try:
            for name, module in (("encoder", encoder), ("density", density)):
                found = {
                    key.removeprefix(f"{name}."): each for key, each in (tensors or {}).items() if key.startswith(name)
                }
                module.load_state_dict({key: each.float() for key, each in found.items()})
        except RuntimeError as error:
            problem = str(error).strip().splitlines()[-1].strip()
            raise CollectionError(f"the encoder of a learned codec does not fit its decoder ({problem})") from error
        return LearnedTransform(common, encoder.requires_grad_(False), density.requires_grad_(False))


def occupied(latents: Sequence[Int[Tensor, "Z _ _"]]) -> list[Bool[Tensor, "_ _"]]:
    """Where not all channels are 0."""
    return [(own != 0).any(0) for own in latents]
