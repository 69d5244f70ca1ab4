"""Adam for tables of which a step touches some rows: only those, their moments and their counts are read or changed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

EPSILON = 1e-15  # as in Instant-NGP: gradients of logits may be far below 1e-8


class RowAdam:
    """Adam (Kingma and Ba 2015) per row of tables (M, F); a row's bias correction counts its own steps.

    With `lean`, a row has one second moment, the mean of its numbers' squares, and first moments are bfloat16: 2 F + 8
    bytes a row in the place of 8 F + 4. Features and logits of one corner learn at like scales, so little is lost.
    """

    def __init__(
        self, tables: Sequence[Tensor], rate: float, betas: tuple[float, float] = (0.9, 0.99), *, lean: bool = False
    ) -> None:
        self.tables = list(tables)
        self.rate = rate
        self.betas = betas
        self.first = [
            torch.zeros(table.shape, dtype=torch.bfloat16 if lean else torch.float32, device=table.device)
            for table in self.tables
        ]
        self.second = [
            torch.zeros((len(table), 1 if lean else table.shape[1]), dtype=torch.float32, device=table.device)
            for table in self.tables
        ]
        self.counts = [torch.zeros(len(table), dtype=torch.int32, device=table.device) for table in self.tables]

    @torch.no_grad()
    def receive(self, number: int, rows: Int[Tensor, " K"], gradient: Float[Tensor, "K F"]) -> None:
        """One step on `rows` (each once) of table `number`: what `LearnedIndices.receive` wants."""
        table, first, second = self.tables[number], self.first[number], self.second[number]
        counts = self.counts[number][rows] + 1
        self.counts[number][rows] = counts
        corrections = [1.0 - beta ** counts.to(torch.float32).unsqueeze(1) for beta in self.betas]
        gradient = gradient.float()
        mean = first[rows].float().lerp_(gradient, 1.0 - self.betas[0])
        squares = gradient.square()
        if second.shape[1] == 1:
            squares = squares.mean(1, keepdim=True)
        spread = second[rows].lerp_(squares, 1.0 - self.betas[1])
        first[rows] = mean.to(first.dtype)
        second[rows] = spread
        step = (mean / corrections[0]).div_((spread / corrections[1]).sqrt_().add_(EPSILON))
        table[rows] = (table[rows].float() - self.rate * step).to(table.dtype)

    def step(self) -> None:
        """One step on the rows of each table's sparse gradient, which is then forgotten."""
        for number, table in enumerate(self.tables):
            if table.grad is None:
                continue
            gradient = table.grad.coalesce()
            self.receive(number, gradient.indices()[0], gradient.values())
            table.grad = None
