"""Codes: what one object owns, as named tensors stacked over objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor


class ObjectCodes(Protocol):
    """Codes of B objects of one family, whatever they are made of."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Self:
        """The codes of some objects; a single index keeps the leading dimension (B = 1)."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Self: ...


@dataclass(frozen=True)
class Codes:
    """Named tensors, each with the objects first: `tensors[name]` has shape (B, ...).

    >>> codes = Codes({"planes": torch.zeros(3, 8, 8), "weights": torch.ones(3, 5)})
    >>> len(codes), codes[0].tensors["weights"].shape
    (3, torch.Size([1, 5]))
    """

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return next(iter(self.tensors.values())).shape[0]

    def __getitem__(self, rows: int | slice | Sequence[int] | Tensor) -> "Codes":
        """The codes of some objects; a single index keeps the leading dimension (B = 1)."""
        if isinstance(rows, int):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"object {rows} of {len(self)}")
            rows = slice(rows, rows + 1) if rows != -1 else slice(rows, None)
        return Codes({name: tensor[rows] for name, tensor in self.tensors.items()})

    def to(self, *args, **kwargs) -> "Codes":
        return Codes({name: tensor.to(*args, **kwargs) for name, tensor in self.tensors.items()})

    @staticmethod
    def concatenate(parts: Sequence["Codes"]) -> "Codes":
        return Codes({name: torch.cat([part.tensors[name] for part in parts]) for name in parts[0].tensors})
