"""Codes of many objects with their Adam moments; a step touches the rows of its own objects and no others."""

import torch
from torch import Tensor

from manyfields.fields import Codes


class CodeStore:
    """Codes in training, their first and second moments, and each object's own step count.

    Adam (Kingma and Ba 2015) per row: an object that was not drawn keeps its code, moments and count, bit by bit.
    """

    def __init__(self, codes: Codes, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.codes = {name: tensor.detach().clone().float() for name, tensor in codes.tensors.items()}
        self.first = {name: torch.zeros_like(tensor) for name, tensor in self.codes.items()}
        self.second = {name: torch.zeros_like(tensor) for name, tensor in self.codes.items()}
        self.counts = torch.zeros(len(codes), dtype=torch.int64, device=next(iter(self.codes.values())).device)
        self.betas = betas

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: Tensor) -> Codes:
        """Codes of the objects `rows` (distinct), as leaves that collect gradients."""
        return Codes({name: tensor[rows].requires_grad_() for name, tensor in self.codes.items()})

    def all(self) -> Codes:
        return Codes(self.codes)

    @torch.no_grad()
    def update(self, rows: Tensor, codes: Codes, rates: dict[str, float]) -> None:
        """One Adam step on the objects `rows`, from the gradients of what `take` returned."""
        self.counts[rows] += 1
        counts = self.counts[rows].double()
        beta1, beta2 = self.betas
        for name, tensor in codes.tensors.items():
            if tensor.grad is None:
                continue
            shape = (-1, *[1] * (tensor.dim() - 1))
            first = self.first[name][rows].lerp_(tensor.grad, 1 - beta1)
            second = self.second[name][rows].mul_(beta2).addcmul_(tensor.grad, tensor.grad, value=1 - beta2)
            self.first[name][rows] = first
            self.second[name][rows] = second
            scale = (rates[name] / (1 - beta1**counts)).float().view(shape)
            root = (second / (1 - beta2**counts).float().view(shape)).sqrt_().add_(1e-8)
            self.codes[name][rows] = tensor.detach() - scale * first / root

    def reset_moments(self) -> None:
        """Forget moments and counts, for a phase with other losses."""
        for name in self.codes:
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
