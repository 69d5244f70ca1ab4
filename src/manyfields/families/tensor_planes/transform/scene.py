"""One scene of tensor fields as transform coding stores it: whole numbers from which its planes are made again.

Where a codec was learned from other scenes, they have a decoder and tables in common: the codec file of a collection
(reference/format.md). The layers of its scenes then hold masks and latents alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from manyfields.compression.transform.decoder import WholeDecoder, decode_decoder, encode_decoder, latent_side
from manyfields.compression.transform.hyperprior import CodedHyper
from manyfields.compression.transform.latents import LatentTables, kept_latents
from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.families.tensor_planes.stacked_planes import grids_of, plane_sizes
from manyfields.fields.axes import Resolution


@dataclass(frozen=True, eq=False)
class CodedScene:
    """Latents (Z, h, w) of the planes XY, XZ, YZ, 0 where their masks (h, w) are, and all else of the scene."""

    box: Float[Tensor, "2 3"]
    alpha: UInt8[Tensor, "G G G"]
    """The alpha mask: cells of the box that may hold something."""
    map: Float[Tensor, "4 4"] | None
    resolution: Resolution
    components: tuple[int, int]
    """Channels of each plane that are those of density, and of appearance: one decoder makes both."""
    vectors: tuple[Tensor, ...]
    """Three of density, three of appearance."""
    vector_bits: int
    decoder: WholeDecoder
    masks: tuple[Tensor, ...]
    latents: tuple[Tensor, ...]
    tables: LatentTables
    """One context a channel; with a hyperprior: one a class."""
    hyper: CodedHyper | None = None
    network: Float[Tensor, " p"] | None = None
    """Of the scene's own, in the place of that of the shared part."""
    network_bits: int = 8
    common: bool = False
    """Decoder and tables are those of the codec, which has them for all scenes: see `CommonTransform`."""

    @staticmethod
    def of_grids(grids: TensorGrids, **learned: Any) -> "CodedScene":
        """A scene with the box, masks and sizes of `grids`. `learned`: everything else, by name."""
        components = grids.density.components, grids.appearance.components
        return CodedScene(
            box=grids.box,
            alpha=grids.mask,
            map=grids.map,
            resolution=grids.resolution,
            components=components,
            **learned,
        )

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return plane_sizes(self.resolution)

    def contexts(self) -> Int[np.ndarray, " m"] | None:
        """The table of each latent that is stored; None where that is the one of its channel."""
        if self.hyper is None:
            return None
        return kept_latents(self.hyper.classes(latent_sizes(self.resolution)), self.masks).flatten().numpy()

    def grids(self) -> TensorGrids:
        """The scene, decoded: the same bits in every process on a machine."""
        planes = [self.decoder(latents, size) for latents, size in zip(self.latents, self.sizes, strict=True)]
        made = grids_of(planes, self.vectors, self.components, self.box, self.alpha, self.map)
        return replace(made, network=self.network)


def latent_sizes(resolution: Resolution) -> list[tuple[int, int]]:
    """(h, w) of their latents."""
    return [(latent_side(rows), latent_side(columns)) for rows, columns in plane_sizes(resolution)]


@dataclass(frozen=True, eq=False)
class CommonTransform:
    """A decoder, and the tables of its channels of latents."""

    decoder: WholeDecoder
    tables: LatentTables

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Channels of latents, of the hidden layer and of planes; bits of the decoder's weights."""
        latent, hidden = self.decoder.first.weights.shape[:2]
        return latent, hidden, self.decoder.second.weights.shape[1], self.decoder.bits

    def tensors(self) -> dict[str, Tensor]:
        """What to store: the bytes of both, as they would be in a scene. Raises CollectionError for NaN."""
        return {"decoder": _as_tensor(encode_decoder(self.decoder)), "tables": _as_tensor(self.tables.to_bytes())}

    def config(self) -> dict[str, Any]:
        """JSON that `from_tensors` needs."""
        return dict(zip(("latent", "hidden", "channels", "bits"), self.sizes, strict=True))

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "CommonTransform":
        """The inverse of `tensors` and `config`. Raises CollectionError where they do not fit together."""
        try:
            latent, hidden, channels, bits = (config[name] for name in ("latent", "hidden", "channels", "bits"))
            if not all(type(size) is int and 1 <= size <= 4096 for size in (latent, hidden, channels)):
                raise ValueError(f"{latent} latents, {hidden} hidden channels, {channels} channels")
            if bits not in range(4, 13):
                raise ValueError(f"a decoder of {bits} bits")
            decoder, tables = (tensors[name].numpy().tobytes() for name in ("decoder", "tables"))
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(f"decoder and tables do not fit their config ({error})") from error
        read = LatentTables.read(tables, latent, "tables")
        return CommonTransform(decode_decoder(decoder, latent, hidden, channels, bits), read)


def _as_tensor(data: bytes) -> UInt8[Tensor, " n"]:
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())
