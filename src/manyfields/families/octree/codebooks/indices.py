"""Learned indices of the corners of one level (VQ-AD): logits, a codebook, and their Adam moments.

Only corners that a step touched learn, each once, however many samples read it: so 6 bits an index take about the
memory that plain features do.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields._checks import check_numbers
from manyfields.compiled import compiled_for
from manyfields.compression.kmeans import learn_codebook
from manyfields.errors import ConfigError
from manyfields.families.octree.codes import MOST_BITS, QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.learning import BETAS, START, OctreeCode
from manyfields.families.octree.tree import Octree

LOWEST = -60000.0  # of logits that fill up a vector: never the largest, and their softmax is 0
VECTOR = 16
ROWS_OF_A_PART = 4096
COMMON = 0.99  # of the running share of each entry, by which prices of indices are made
CONFIDENT, FAINTEST = 1.0, 8.0  # logits of a start from features: of the second choice, and at least
PACE = 0.1  # of the rate of features that indices have which start from them
LAST_AT = 0.57  # share of a phase after which the last level becomes indices


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
        check_numbers(self)
        if not 1 <= self.bits <= MOST_BITS:
            raise ConfigError(f"bits {self.bits}: an index takes from 1 to {MOST_BITS}")
        for name in ("entropy", "gumbel"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} {getattr(self, name)}: a number not below 0")


class LevelIndices:
    """Indices of `bits` into one codebook (VQ-AD): argmax of logits forward, their softmax backward.

    Logits and first moments are float16, and a row has one second moment: 4 bytes a logit and 12 a corner.
    """

    def __init__(
        self, shown: Float[Tensor, "m F"], options: IndexOptions, generator: torch.Generator, pace: float = 1.0
    ) -> None:
        """Random logits and entries: the start of the paper. `pace`: what rates are multiplied with."""
        self.shown, self.options, self.pace, self.entries = shown, options, pace, 2**options.bits
        count, features = shown.shape
        padded = -(-self.entries // VECTOR) * VECTOR
        self.logits = torch.full((count, padded), LOWEST, dtype=torch.float16)
        for part in self.logits.split(1 << 16):
            part[:, : self.entries] = START * torch.randn(len(part), self.entries, generator=generator)
        self.first = torch.zeros_like(self.logits)
        self.second, self.counts = torch.zeros(count), torch.zeros(count, dtype=torch.int32)
        self.indices = torch.zeros(count, dtype=torch.int32)
        self.codebook = START * torch.randn(self.entries, features, generator=generator)
        self.book_first, self.book_second = torch.zeros_like(self.codebook), torch.zeros_like(self.codebook)
        self.steps = torch.zeros(())
        self.usage = torch.full((self.entries,), 1.0 / self.entries)
        self.indices.copy_(self._largest())
        self.show()

    @staticmethod
    def of_features(
        shown: Float[Tensor, "m F"], options: IndexOptions, generator: torch.Generator, pace: float = PACE
    ) -> "LevelIndices":
        """Indices that start where features are: a codebook by k-means, logits by the distances to its entries.

        A corner starts CONFIDENT nats from a typical second choice, so that gradients can still change its mind.
        """
        features = shown.clone()
        level = LevelIndices(shown, options, generator, pace)
        if len(features):
            seed = int(torch.randint(1 << 30, (1,), generator=generator))
            level.codebook.copy_(learn_codebook(features, options.bits, seed=seed))
            scale = _typical_gap(features[:: max(1, len(features) // (1 << 14))], level.codebook)
            for rows in torch.arange(len(features)).split(1 << 14):
                far = torch.cdist(features[rows], level.codebook).square()
                logits = (far.amin(-1, keepdim=True) - far) * (CONFIDENT / scale)
                level.logits[rows, : level.entries] = logits.clamp(min=-FAINTEST).half()
            level.indices.copy_(level._largest())
            level.show()
        return level

    def update(self, gradient: Float[Tensor, "m F"], rate: float) -> None:
        touched = gradient.any(-1).nonzero().squeeze(1)
        if not len(touched):
            return
        price = gradient.new_zeros(self.logits.shape[1])
        if self.options.entropy:
            shown = torch.bincount(self.indices[touched].long(), minlength=self.entries).float() / len(touched)
            self.usage.lerp_(shown, 1.0 - COMMON)
            price[: self.entries] = -self.options.entropy / len(touched) * (self.usage + 1e-6).log2()
        of_codebook = self._learn(touched, gradient, price, self.pace * rate)
        self.steps += 1
        self._move_codebook(of_codebook, self.pace * rate)
        self.show()

    def chosen(self) -> Int[Tensor, " m"]:
        """The index of each corner that is stored: of its largest logit, without noise."""
        return self._largest() if self.options.gumbel else self.indices

    def state(self) -> dict[str, Tensor]:
        names = "logits first second counts indices codebook book_first book_second steps usage"
        return {name: getattr(self, name) for name in names.split()}

    def show(self) -> None:
        torch.index_select(self.codebook, 0, self.indices, out=self.shown)

    def _largest(self) -> Int[Tensor, " m"]:
        parts = [part[:, : self.entries].float().argmax(-1) for part in self.logits.split(1 << 16)]
        return torch.cat(parts).to(torch.int32) if parts else self.indices

    def _learn(self, rows: Tensor, gradient: Tensor, price: Tensor, rate: float) -> Tensor:
        """A step on the logits of corners; returns the gradient of their codebook."""
        given = rows, gradient.contiguous(), price, rate
        if compiled_for(gradient, self.codebook) and not self.options.gumbel:
            return self._learn_compiled(*given)
        parts = [self._learn_plain(part, *given[1:]) for part in rows.split(ROWS_OF_A_PART)]
        return torch.stack(parts).sum(0)

    def _learn_compiled(self, rows: Tensor, gradient: Tensor, price: Tensor, rate: float) -> Tensor:
        import numpy as np

        from manyfields.families.octree.codebooks.index_kernels import ROWS_OF_A_JOB, learn_indices

        turned = torch.zeros(self.codebook.shape[1], len(price))
        turned[:, : self.entries] = self.codebook.T
        learned = torch.zeros(-(-len(rows) // ROWS_OF_A_JOB), *self.codebook.shape)
        inputs = [tensor.numpy() for tensor in (rows, gradient, turned, price)]
        halves = [tensor.view(torch.int16).numpy() for tensor in (self.logits, self.first)]
        moments = [tensor.numpy() for tensor in (self.second, self.counts, self.indices, learned)]
        rates = [np.float32(number) for number in (rate, *BETAS)]
        given = *inputs, self.entries, *rates, *halves, *moments
        learn_indices(*given)
        return learned.sum(0)

    def _learn_plain(self, rows: Tensor, gradient: Tensor, price: Tensor, rate: float) -> Tensor:
        logits = self.logits[rows, : self.entries].float()
        shares, given = torch.softmax(logits + self._noise(rows), -1), gradient[rows]
        gains = given @ self.codebook.T + price[: self.entries]
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
        learned = torch.zeros_like(self.codebook).index_add_(0, self.indices[rows].long(), given)
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

    def _move_codebook(self, gradient: Tensor, rate: float) -> None:
        first, second, steps = self.book_first, self.book_second, float(self.steps)
        first.lerp_(gradient, 1.0 - BETAS[0])
        second.lerp_(gradient.square(), 1.0 - BETAS[1])
        size = rate * math.sqrt(1.0 - BETAS[1] ** steps) / (1.0 - BETAS[0] ** steps)
        self.codebook -= size * first / second.sqrt().clamp(min=1e-15)


def indices_from_noise(tree: Octree, features: int, options: IndexOptions, generator: torch.Generator) -> OctreeCode:
    """A code of indices on all levels that learn from noise, as in the paper."""
    code = OctreeCode(tree, features)
    code.levels = [LevelIndices(part, options, generator) for part in code.parts]
    return code


@torch.no_grad()
def become_indices(code: OctreeCode, level: int, options: IndexOptions, generator: torch.Generator) -> None:
    """Let the features of one level of a code become indices."""
    code.levels[level] = LevelIndices.of_features(code.parts[level], options, generator)


def levels_of_indices(code: OctreeCode) -> list[LevelIndices] | None:
    """The learners of a code; None while some of its levels have features."""
    found = [level for level in code.levels if isinstance(level, LevelIndices)]
    return found if len(found) == len(code.levels) else None


def stored_indices(code: OctreeCode) -> QuantisedOctreeCodes:
    """What is stored (B = 1) of a code with indices on all levels."""
    learned = levels_of_indices(code)
    assert learned is not None
    held = tuple(QuantisedLevel(level.chosen().long(), level.codebook.clone()) for level in learned)
    return QuantisedOctreeCodes((code.tree,), (held,))


def quantise_levels(
    code: OctreeCode, share: float, options: IndexOptions, draw: Callable[[int], torch.Generator]
) -> None:
    """Let those levels of a code become indices whose time has come when a `share` of their phase is over.

    Coarse ones come first: finer levels that still have features learn what the codebooks of coarser ones cannot say.
    `draw(level)` gives the generator of a level's start.
    """
    for level in range(levels_by_then(share, len(code.levels))):
        if not isinstance(code.levels[level], LevelIndices):
            become_indices(code, level, options, draw(level))


def levels_by_then(share: float, levels: int) -> int:
    """How many levels have indices when a share of their phase is over."""
    return min(levels, 1 + int(share * (levels - 1) / LAST_AT))


def _typical_gap(features: Tensor, codebook: Tensor) -> float:
    """Mean over features by how much the second nearest entry is farther away, squared."""
    nearest = torch.cdist(features, codebook).square().topk(2, largest=False).values
    return max(float((nearest[:, 1] - nearest[:, 0]).mean()), 1e-12)


def gumbel_noise(rows: Int[Tensor, " r"], draw: Int[Tensor, "r 1"], entries: int) -> Float[Tensor, "r K"]:
    """-log(-log(u)), u uniform, for each entry of each row; `draw` counts the draws of a row.

    argmax(logits + noise) is an entry drawn by softmax(logits) (Gumbel-max). u is a hash of row, draw and entry: the
    mixing steps of splitmix64 (Steele et al. 2014).
    """
    state = rows.unsqueeze(1) * entries + torch.arange(entries) + draw.long() * GOLDEN
    state = (state ^ _shifted(state, 30)) * -0x40A7B892E31B1A47
    state = (state ^ _shifted(state, 27)) * -0x6B2FB644ECCEEE15
    uniform = (_shifted(state ^ _shifted(state, 31), 11).double() + 0.5) * 2.0**-53
    return -(-uniform.log()).log().float()


def _shifted(values: Tensor, count: int) -> Tensor:
    """Shifted right as numbers without sign."""
    return (values >> count) & ((1 << (64 - count)) - 1)


GOLDEN = -0x61C8864680B583EB  # 2^64 over the golden ratio, as a number with sign
