"""What scenes in transform coding have in common where a codec was learned from other scenes: decoder and tables.

It is the codec file of a collection (reference/format.md); the layers of its scenes then hold masks and latents alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from manyfields.compression.transform_decoder import WholeDecoder
from manyfields.compression.transform_decoder_bytes import decode_decoder, encode_decoder
from manyfields.compression.transform_latents import LatentTables
from manyfields.errors import CollectionError


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
