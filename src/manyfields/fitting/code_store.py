"""Codes of many objects with their Adam moments; a step touches the rows of its own objects and no others."""

import torch
from torch import Tensor
from torch.optim.adam import adam

from manyfields.fields import Codes


class CodeStore:
    """Codes in training, their first and second moments, and each object's own step count.

    Adam (Kingma and Ba 2015) per row: an object that was not drawn keeps its code, moments and count, bit by bit.
    """

    def __init__(self, codes: Codes, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.codes = {name: tensor.detach().clone() for name, tensor in codes.tensors.items()}
        learned = {name: tensor for name, tensor in self.codes.items() if tensor.is_floating_point()}
        self.first = {name: torch.zeros_like(tensor) for name, tensor in learned.items()}
        self.second = {name: torch.zeros_like(tensor) for name, tensor in learned.items()}
        self.counts = torch.zeros(len(codes), dtype=torch.int64, device=next(iter(self.codes.values())).device)
        self.betas = betas

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: Tensor) -> Codes:
        """Codes of the objects `rows` (distinct), as leaves that collect gradients."""
        taken = {name: tensor[rows] for name, tensor in self.codes.items()}
        return Codes({name: tensor.requires_grad_(name in self.first) for name, tensor in taken.items()})

    def all(self) -> Codes:
        return Codes(self.codes)

    @torch.no_grad()
    def update(self, rows: Tensor, codes: Codes, rates: dict[str, float]) -> None:
        """One Adam step on the objects `rows`, from the gradients of what `take` returned."""
        self.counts[rows] += 1
        picked = rows.tolist()
        steps = list(self.counts[rows].float())
        for name, tensor in codes.tensors.items():
            if tensor.grad is None:
                continue
            # torch's own fused step on the rows themselves: nothing is copied out and back.
            adam(
                [self.codes[name][row] for row in picked],
                list(tensor.grad),
                [self.first[name][row] for row in picked],
                [self.second[name][row] for row in picked],
                [],
                [count - 1 for count in steps],
                fused=tensor.device.type in ("cpu", "cuda"),
                foreach=False,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=rates[name],
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )

    def reset_moments(self) -> None:
        """Forget moments and counts, for a phase with other losses."""
        for name in self.first:
            self.first[name].zero_()
            self.second[name].zero_()
        self.counts.zero_()

    def state(self) -> dict[str, Tensor]:
        """All tensors by name, for a checkpoint."""
        parts = {"code": self.codes, "first": self.first, "second": self.second}
        named = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
        return {**named, "counts": self.counts}

    def load(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
