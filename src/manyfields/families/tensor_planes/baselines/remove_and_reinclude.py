"""Pruning by turns: texels that matter least are removed, and those that are missed most come back.

    remove ─► fine-tune what is left ─► re-include ─► remove ─► ... ─► fine-tune

The idea of Re:NeRF (Deng and Tartaglione 2023), Re:TensoRF where planes are pruned: parameters removed all at once cost
quality that parameters removed and re-included by turns do not. What is not told in the papers at hand is ours
(docs/how/codecs.md): a texel is one place of a plane, its density and appearance together; how much it matters is the
first-order change of the loss without it; how much it is missed is the gradient that it gets as zeros.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.baselines.vq_fine_tuning import FineTuning, fine_tune
from manyfields.families.tensor_planes.baselines.vq_planes import VqPlane, VqScene
from manyfields.families.tensor_planes.grids import TensorGrids
from manyfields.fitting.scene_loss import SceneLoss

Maps = tuple[Float[Tensor, "_ _"], ...]


@dataclass(frozen=True)
class Pruning:
    """How texels are removed. Steps of fine-tuning are shared out to the rounds, and one more stretch at the end."""

    rounds: int = 4
    reincluded: float = 0.1
    """Of the texels that a round leaves, the share that was re-included."""
    batches: int = 8
    """Draws of pixels that gradients are summed over."""

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.batches < 1 or not 0.0 <= self.reincluded < 1.0:
            raise ConfigError("rounds and batches: above 0; reincluded: from 0 to below 1")


def remove_and_reinclude(
    loss: SceneLoss,
    grids: TensorGrids,
    left: float,
    pruning: Pruning,
    tuning: FineTuning,
    after_step: Callable[[int, float], None] | None = None,
) -> VqScene:
    """A scene with the share `left` of the texels of its planes, all kept; the network of `loss` learns with it.

    Raises ConfigError where `left` is not above 0 and at most 1.
    """
    if not 0.0 < left <= 1.0:
        raise ConfigError(f"share of texels left {left}: above 0, and at most 1")
    sizes = [plane.shape[:2] for plane in grids.density.planes]
    total = sum(rows * columns for rows, columns in sizes)
    kept = [torch.ones(size, dtype=torch.bool) for size in sizes]
    steps = tuning.steps // (pruning.rounds + 1)
    for turn in range(pruning.rounds):
        count = max(1, round(total * left ** ((turn + 1) / pruning.rounds)))
        back = min(round(pruning.reincluded * count), int(sum(each.sum() for each in kept)) - count)
        matters, _ = _gradients(loss, grids, f"remove {turn}", pruning.batches)
        kept = _best(matters, kept, count - back)
        before = grids
        grids = _tuned(loss, grids, kept, replace(tuning, steps=steps), turn, after_step).grids()
        _, missed = _gradients(loss, grids, f"re-include {turn}", pruning.batches)
        near = [functional.max_pool2d(own[None].float(), 3, 1, 1)[0].bool() & ~own for own in kept]
        returned = _best(missed, near, back)
        grids = _with_texels_of(grids, before, returned)
        kept = [own | new for own, new in zip(kept, returned, strict=True)]
    last = replace(tuning, steps=tuning.steps - pruning.rounds * steps)
    return _tuned(loss, grids, kept, last, pruning.rounds, after_step)


def _tuned(
    loss: SceneLoss,
    grids: TensorGrids,
    kept: Sequence[Tensor],
    tuning: FineTuning,
    turn: int,
    after_step: Callable[[int, float], None] | None,
) -> VqScene:
    planes = [
        VqPlane.only_kept(plane, kept[number % 3])
        for number, plane in enumerate(grids.density.planes + grids.appearance.planes)
    ]
    vectors = grids.density.vectors + grids.appearance.vectors
    scene = VqScene(grids.box, grids.mask, grids.map, tuple(planes), vectors)
    return fine_tune(loss, scene, tuning, purpose=f"fine-tune {turn}", after_step=after_step)


def _gradients(loss: SceneLoss, grids: TensorGrids, purpose: str, batches: int) -> tuple[Maps, Maps]:
    """Of each texel: the first-order change of the loss where it becomes zeros, and how long its gradient is.

    Both as means over batches of their magnitude.
    """
    learned = grids.with_tensors([tensor.detach().clone().requires_grad_() for tensor in grids.tensors])
    planes = learned.density.planes + learned.appearance.planes
    change = [torch.zeros(plane.shape[:2]) for plane in planes[:3]]
    length = [torch.zeros(plane.shape[:2]) for plane in planes[:3]]
    for batch in range(batches):
        found = torch.autograd.grad(loss(learned, purpose, batch), planes)
        for axis in range(3):
            pair = [(planes[n].detach(), found[n]) for n in (axis, axis + 3)]
            change[axis] += torch.stack([(own * gradient).sum(-1) for own, gradient in pair]).sum(0).abs() / batches
            squares = torch.stack([gradient.square().sum(-1) for _, gradient in pair]).sum(0)
            length[axis] += squares.sqrt() / batches
    return tuple(change), tuple(length)


def _best(scores: Sequence[Tensor], among: Sequence[Bool[Tensor, "_ _"]], count: int) -> list[Bool[Tensor, "_ _"]]:
    """The `count` texels of all planes with the highest scores among some; all of these where they are fewer."""
    flat = torch.cat([score.masked_fill(~some, -1.0).flatten() for score, some in zip(scores, among, strict=True)])
    rows = flat.topk(min(count, int((flat >= 0).sum()))).indices
    chosen = torch.zeros(len(flat), dtype=torch.bool).index_fill(0, rows, True)
    parts = chosen.split([some.numel() for some in among])
    return [part.view(some.shape) for part, some in zip(parts, among, strict=True)]


def _with_texels_of(grids: TensorGrids, before: TensorGrids, returned: Sequence[Tensor]) -> TensorGrids:
    """`grids` with the numbers that some texels had before."""
    density, appearance = (
        own.with_tensors(
            [
                torch.where(some[..., None], old, new)
                for some, old, new in zip(returned, was.planes, own.planes, strict=True)
            ]
            + list(own.vectors)
        )
        for own, was in ((grids.density, before.density), (grids.appearance, before.appearance))
    )
    return replace(grids, density=density, appearance=appearance)
