"""Learned indices of one octree object (VQ-AD): logits, a codebook a level, and their Adam moments.

Only corners that a step touched learn, each once, however many samples read it: so 6 bits an index take about the
memory that plain features do.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.compression.kmeans import learn_codebook
from manyfields.errors import ConfigError
from manyfields.fields.octree import Octree
from manyfields.fields.octree_codes import MOST_BITS
from manyfields.fitting.gumbel import gumbel_noise
from manyfields.fitting.octree_learning import BETAS, START

LOWEST = -60000.0  # of logits that fill up a vector: never the largest, and their softmax is 0
VECTOR = 16
ROWS_OF_A_PART = 4096
COMMON = 0.99  # of the running share of each entry, by which prices of indices are made
CONFIDENT, FAINTEST = 1.0, 8.0  # logits of a start from features: of the second choice, and at least


@dataclass(frozen=True)
class IndexOptions:
    """How indices learn. Raises ConfigError for what has no meaning."""

    bits: int
    """Of an index: a codebook has 2^bits entries."""
    entropy: float = 0.0
    """Times the bits that an entropy coder would spend on a step's indices, added to the loss."""
    gumbel: float = 0.0
    """Scale of the Gumbel noise on logits while they learn: 1 draws indices by their softmax, 0 takes the largest."""

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_BITS:
            raise ConfigError(f"bits {self.bits}: an index takes from 1 to {MOST_BITS}")
        for name in ("entropy", "gumbel"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} {getattr(self, name)}: a number not below 0")


class IndexCode:
    """Indices of `bits` into one codebook a level (VQ-AD): argmax of logits forward, their softmax backward.

    Logits and first moments are float16, and a row has one second moment: 4 bytes a logit and 12 a corner.
    """

    def __init__(self, tree: Octree, features: int, options: IndexOptions, generator: torch.Generator) -> None:
        self.tree, self.options = tree, options
        count, self.entries = sum(tree.corner_counts), 2**options.bits
        padded = -(-self.entries // VECTOR) * VECTOR
        self.logits = torch.full((count, padded), LOWEST, dtype=torch.float16)
        for part in self.logits.split(1 << 16):
            part[:, : self.entries] = START * torch.randn(len(part), self.entries, generator=generator)
        self.first = torch.zeros_like(self.logits)
        self.second, self.counts = torch.zeros(count), torch.zeros(count, dtype=torch.int32)
        self.indices = torch.cat([part.float().argmax(-1) for part in self.logits.split(1 << 16)]).to(torch.int32)
        levels = len(tree.corner_counts)
        self.codebooks = START * torch.randn(levels, self.entries, features, generator=generator)
        self.book_first, self.book_second = torch.zeros_like(self.codebooks), torch.zeros_like(self.codebooks)
        self.steps = torch.zeros(levels)
        self.usage = torch.full((levels, self.entries), 1.0 / self.entries)
        self.table = torch.empty(count, features)
        self._show()
        self.table.requires_grad_()

    @staticmethod
    def of_features(
        tree: Octree, table: Float[Tensor, "M F"], options: IndexOptions, generator: torch.Generator
    ) -> "IndexCode":
        """Indices that start where features are: codebooks by k-means, logits by the distances to their entries.

        A corner starts CONFIDENT nats from a typical second choice, so that gradients can still change its mind.
        """
        code = IndexCode(tree, table.shape[1], options, generator)
        for level, rows in enumerate(code._levels()):
            if rows.start == rows.stop:
                continue
            features = table.detach()[rows].float()
            seed = int(torch.randint(1 << 30, (1,), generator=generator))
            codebook = code.codebooks[level] = learn_codebook(features, options.bits, seed=seed)
            scale = _typical_gap(features[:: max(1, len(features) // (1 << 14))], codebook)
            for part in torch.arange(rows.start, rows.stop).split(1 << 14):
                far = torch.cdist(table.detach()[part].float(), codebook).square()
                logits = (far.amin(-1, keepdim=True) - far) * (CONFIDENT / scale)
                code.logits[part, : code.entries] = logits.clamp(min=-FAINTEST).half()
        code.indices.copy_(torch.cat([part.float().argmax(-1) for part in code.logits.split(1 << 16)]))
        code._show()
        return code

    @torch.no_grad()
    def update(self, rate: float) -> None:
        gradient, self.table.grad = self.table.grad, None
        if gradient is None:
            return
        for level, rows in enumerate(self._levels()):
            touched = gradient[rows].any(-1).nonzero().squeeze(1) + rows.start
            if not len(touched):
                continue
            price = gradient.new_zeros(self.logits.shape[1])
            if self.options.entropy:
                shown = torch.bincount(self.indices[touched].long(), minlength=self.entries).float() / len(touched)
                self.usage[level].lerp_(shown, 1.0 - COMMON)
                price[: self.entries] = -self.options.entropy / len(touched) * (self.usage[level] + 1e-6).log2()
            of_codebook = self._learn(touched, gradient, self.codebooks[level], price, rate)
            self.steps[level] += 1
            self._move_codebook(level, of_codebook, rate)
        self._show()

    def _learn(self, rows: Tensor, gradient: Tensor, codebook: Tensor, price: Tensor, rate: float) -> Tensor:
        """A step on the logits of corners; returns the gradient of their codebook."""
        given = rows, gradient.contiguous(), codebook, price, rate
        if compiled_for(gradient, codebook) and not self.options.gumbel:
            return self._learn_compiled(*given)
        parts = [self._learn_plain(part, *given[1:]) for part in rows.split(ROWS_OF_A_PART)]
        return torch.stack(parts).sum(0)

    def _learn_compiled(self, rows: Tensor, gradient: Tensor, codebook: Tensor, price: Tensor, rate: float) -> Tensor:
        import numpy as np

        from manyfields.fitting.index_kernels import ROWS_OF_A_JOB, learn_indices

        turned = torch.zeros(codebook.shape[1], len(price))
        turned[:, : self.entries] = codebook.T
        learned = torch.zeros(-(-len(rows) // ROWS_OF_A_JOB), *codebook.shape)
        inputs = [tensor.numpy() for tensor in (rows, gradient, turned, price)]
        halves = [tensor.view(torch.int16).numpy() for tensor in (self.logits, self.first)]
        moments = [tensor.numpy() for tensor in (self.second, self.counts, self.indices, learned)]
        rates = [np.float32(number) for number in (rate, *BETAS)]
        given = *inputs, self.entries, *rates, *halves, *moments
        learn_indices(*given)
        return learned.sum(0)

    def _learn_plain(self, rows: Tensor, gradient: Tensor, codebook: Tensor, price: Tensor, rate: float) -> Tensor:
        logits = self.logits[rows, : self.entries].float()
        shares, given = torch.softmax(logits + self._noise(rows), -1), gradient[rows]
        gains = given @ codebook.T + price[: self.entries]
        change = shares * (gains - (shares * gains).sum(-1, keepdim=True))
        before, squares = self.second[rows], change.square().mean(-1)
        second = BETAS[1] * before + (1.0 - BETAS[1]) * squares
        moving = second > 0
        rows, given, logits, change = rows[moving], given[moving], logits[moving], change[moving]
        before, second = before[moving], second[moving]
        counts = self.counts[rows] + 1
        spread = second.sqrt().unsqueeze(1)
        kept = self.first[rows, : self.entries].float() * (BETAS[0] * before.sqrt().unsqueeze(1) / spread)
        moved = kept + change * ((1.0 - BETAS[0]) / spread)
        factor = rate * (1.0 - BETAS[1] ** counts.float()).sqrt() / (1.0 - BETAS[0] ** counts.float())
        learned = torch.zeros_like(codebook).index_add_(0, self.indices[rows].long(), given)
        self.counts[rows], self.second[rows] = counts, second
        self.first[rows, : self.entries] = moved.half()
        self.logits[rows, : self.entries] = (logits - factor.unsqueeze(1) * moved).half()
        seen = self.logits[rows, : self.entries].float() + self._noise(rows)
        self.indices[rows] = seen.argmax(-1).to(torch.int32)
        return learned

    def _noise(self, rows: Tensor) -> Tensor | float:
        """What was added to the logits of corners when the indices they show were drawn, or will be."""
        if not self.options.gumbel:
            return 0.0
        drawn = self.counts[rows].unsqueeze(1)
        return self.options.gumbel * (drawn > 0) * gumbel_noise(rows, drawn, self.entries)

    def _move_codebook(self, level: int, gradient: Tensor, rate: float) -> None:
        first, second, steps = self.book_first[level], self.book_second[level], float(self.steps[level])
        first.lerp_(gradient, 1.0 - BETAS[0])
        second.lerp_(gradient.square(), 1.0 - BETAS[1])
        size = rate * math.sqrt(1.0 - BETAS[1] ** steps) / (1.0 - BETAS[0] ** steps)
        self.codebooks[level] -= size * first / second.sqrt().clamp(min=1e-15)

    def _levels(self) -> list[slice]:
        ends = torch.tensor(self.tree.corner_counts).cumsum(0).tolist()
        return [slice(end - count, end) for end, count in zip(ends, self.tree.corner_counts, strict=True)]

    @torch.no_grad()
    def _show(self) -> None:
        for level, rows in enumerate(self._levels()):
            torch.index_select(self.codebooks[level], 0, self.indices[rows], out=self.table.detach()[rows])

    def chosen(self) -> Int[Tensor, " M"]:
        """The index of each corner that is stored: of its largest logit, without noise."""
        if not self.options.gumbel:
            return self.indices
        parts = [part[:, : self.entries].float().argmax(-1) for part in self.logits.split(1 << 16)]
        return torch.cat(parts).to(torch.int32)

    def state(self) -> dict[str, Tensor]:
        names = "logits first second counts indices codebooks book_first book_second steps usage"
        return {name: getattr(self, name) for name in names.split()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self._show()


def _typical_gap(features: Tensor, codebook: Tensor) -> float:
    """Mean over features by how much the second nearest entry is farther away, squared."""
    nearest = torch.cdist(features, codebook).square().topk(2, largest=False).values
    return max(float((nearest[:, 1] - nearest[:, 0]).mean()), 1e-12)
