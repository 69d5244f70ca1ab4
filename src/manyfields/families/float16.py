"""The first codec of families whose codes are named tensors of one shape: float16, and hulls as bits."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import Tensor

from manyfields.compression.raw import RawCodec
from manyfields.families.codec import Codec, Fitted, StoredCodec
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress, silent


class Float16Codec(RawCodec, Codec[Codes]):
    """`RawCodec` with the layers and shapes that a family's config states."""

    name: ClassVar[str] = RawCodec.name
    stored_as: ClassVar[str | None] = None

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config.layers, config.code_shapes())

    def encode(self, codes: Codes, objects: Fitted | None = None, progress: Progress = silent) -> list[list[bytes]]:
        return super().encode(codes)
