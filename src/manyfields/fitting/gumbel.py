"""Gumbel noise that is a function of where and when it is drawn: it need not be kept until the backward pass."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
