"""Features as learned indices into small codebooks: hard forward, soft backward.

    logits (m, 2^b) ──argmax──► index ──► codebook row        what is seen, and stored: b bits a corner
         └──────────softmax───► mean of codebook rows         what the gradient takes it for

Variable Bitrate Neural Fields (Takikawa et al. 2022, equations 8 and 9), with one codebook a level. A step touches some
of the corners: those are evaluated once each, not once for every sample that reads them, and softmaxes exist for a few
thousand corners at a time, forward and backward. So what a step needs beside the logits is 16 numbers a touched corner,
and, unless gradients are handed on as they come (`receive`), 2^b more.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from manyfields.errors import ConfigError

START_NOISE = 0.01
MOST_BITS = 10
NUMBERS_AT_ONCE = 1 << 19  # of softmaxes: stays within a core's cache, about

Receive = Callable[[int, Tensor, Tensor], None]
"""Takes level, rows (K) and the gradients (K, 2^b) of their logits, some rows at a time; it may change those rows."""


class LearnedIndices(nn.Module):
    """Logits and codebooks of the levels of octrees (of several objects: their corners in order, within each level).

    Gradients of logits are sparse tensors of the touched rows. Where `receive` is set it gets them instead, as the
    backward pass comes to them, and nothing is collected: with an optimizer there, `fitting.RowAdam`, a step needs no
    memory for them.
    """

    def __init__(
        self,
        corner_counts: Sequence[int],
        bits: int,
        features: int = 16,
        *,
        gumbel: torch.Generator | None = None,
        entropy: bool = False,
        codebook_learns: Literal["hard", "soft"] = "hard",
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        """`gumbel`: what draws noise for the logits in training mode, none if None. `entropy`: whether `index_entropy`
        will be asked for. `codebook_learns`: rows of a codebook learn from the corners that show them (the gradient of
        what is seen), or from all corners by their softmax (the paper's equation 9 to the letter). `dtype`: of the
        logits; float16 halves what they take."""
        super().__init__()
        if not 1 <= bits <= MOST_BITS:
            raise ConfigError(f"bits {bits}: an index takes from 1 to {MOST_BITS}")
        self.bits = bits
        self.gumbel = gumbel
        self.codebook_learns = codebook_learns
        self.receive: Receive | None = None
        self.logits = nn.ParameterList(
            nn.Parameter((START_NOISE * torch.randn(count, 2**bits, generator=generator)).to(dtype))
            for count in corner_counts
        )
        self.codebooks = nn.ParameterList(
            nn.Parameter(START_NOISE * torch.randn(2**bits, features, generator=generator)) for _ in corner_counts
        )
        self._usage: dict[int, tuple[Tensor, int]] | None = {} if entropy else None

    def features(self, level: int, corners: Int[Tensor, " K"]) -> Float[Tensor, "K F"]:
        """Features of corners (each once) of a level, counted from 0: rows of its codebook."""
        learning = torch.is_grad_enabled()
        seed = None
        if self.gumbel is not None and self.training and learning:
            seed = int(torch.randint(2**62, (1,), generator=self.gumbel, device=self.gumbel.device))
        receive = None if self.receive is None else partial(self.receive, level)
        count_usage = self._usage is not None and learning
        found, usage = _HardForwardSoftBackward.apply(
            self.logits[level],
            self.codebooks[level],
            corners,
            seed,
            receive,
            count_usage,
            self.codebook_learns == "hard",
        )
        if self._usage is not None and learning:
            self._usage[level] = usage, len(corners)
        return found

    def index_entropy(self) -> Float[Tensor, ""]:
        """Bits that an index takes after entropy coding, about: to add to a step's loss, with a weight.

        For each level that was evaluated since this was last asked the entropy of the mean softmax over the touched
        corners, and of those the mean over corners. Raises ValueError where nothing was evaluated.
        """
        if not self._usage:
            raise ValueError("no indices were evaluated with gradients since the last time; entropy=True is needed too")
        parts = [(count, -(usage * (usage + 1e-12).log2()).sum()) for usage, count in self._usage.values()]
        self._usage = {}
        return torch.stack([count * bits for count, bits in parts]).sum() / max(1, sum(count for count, _ in parts))

    @torch.no_grad()
    def indices(self, level: int) -> Int[Tensor, " m"]:
        """Each corner's index, from 0 to 2^b - 1."""
        parts = [part.argmax(-1) for part in self.logits[level].split(_rows_at_once(2**self.bits))]
        return torch.cat(parts)

    @torch.no_grad()
    def table(self, level: int) -> Float[Tensor, "m F"]:
        """Each corner's features as they are seen and stored: rows of the codebook."""
        return self.codebooks[level][self.indices(level)]


def _rows_at_once(size: int) -> int:
    return max(1, NUMBERS_AT_ONCE // size)


def _scores(logits: Tensor, rows: Tensor, seed: int | None) -> Iterator[tuple[slice, Tensor]]:
    """Logits of rows, some at a time, with the noise that belongs to a seed: the same whenever it is asked for."""
    generator = None if seed is None else torch.Generator(logits.device).manual_seed(seed)
    at_once = _rows_at_once(logits.shape[1])
    for start in range(0, len(rows), at_once):
        part = slice(start, min(start + at_once, len(rows)))
        scores = logits[rows[part]]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if generator is not None:
            uniform = torch.rand(scores.shape, generator=generator, dtype=scores.dtype, device=scores.device)
            scores -= uniform.clamp_(1e-20).log_().neg_().clamp_(1e-20).log_()  # Gumbel: -log(-log(uniform))
        yield part, scores


class _HardForwardSoftBackward(torch.autograd.Function):
    """Rows (K, F) of the codebook by argmax, and the mean softmax (2^b) over the corners; both learn by the softmax."""

    @staticmethod
    def forward(
        ctx,
        logits: Tensor,
        codebook: Tensor,
        rows: Tensor,
        seed: int | None,
        receive: Callable[[Tensor, Tensor], None] | None,
        count_usage: bool,
        hard: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(logits, codebook, rows)
        ctx.seed, ctx.receive, ctx.hard = seed, receive, hard
        features = codebook.new_empty(len(rows), codebook.shape[1])
        usage = codebook.new_zeros(len(codebook))
        for part, scores in _scores(logits, rows, seed):
            features[part] = codebook[scores.argmax(-1)]
            if count_usage:
                usage += torch.softmax(scores, -1).sum(0).to(usage.dtype)
        return features, usage / max(1, len(rows))

    @staticmethod
    def backward(ctx, gradient: Tensor, of_usage: Tensor):  # type: ignore[override]
        logits, codebook, rows = ctx.saved_tensors
        of_codebook = torch.zeros_like(codebook)
        collected = logits.new_empty(len(rows), logits.shape[1]) if ctx.receive is None else None
        for part, scores in _scores(logits, rows, ctx.seed):
            shares = torch.softmax(scores, -1).to(codebook.dtype)
            inner = gradient[part]
            if ctx.hard:
                of_codebook.index_add_(0, scores.argmax(-1), inner)
            else:
                of_codebook.addmm_(shares.T, inner)
            of_shares = torch.addmm(of_usage / len(rows), inner, codebook.T)
            of_shares -= (shares * of_shares).sum(-1, keepdim=True)
            of_shares *= shares
            if collected is None:
                ctx.receive(rows[part], of_shares)
            else:
                collected[part] = of_shares
        if collected is None:
            return None, of_codebook, *[None] * 5
        sparse = torch.sparse_coo_tensor(
            rows.unsqueeze(0), collected, logits.shape, is_coalesced=True, check_invariants=False
        )
        return sparse, of_codebook, *[None] * 5
