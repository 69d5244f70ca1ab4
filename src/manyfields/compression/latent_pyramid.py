"""Micro planes from a pyramid of latents: every level adds to planes twice as coarse, made finer.

    latents of the coarsest level ── mix ──► planes ── finer ──► + ──► planes ── finer ──► ... ──► micro planes
                                                                 ▲
                                  latents of the next level ── mix

"mix" takes the Z latents of a texel to its F features, "finer" is a transposed convolution (kernel 3, stride 2, padding
1) whose corners stay corners: h samples a side become 2 h - 1, of which the next level uses as many as it has. Both are
linear, so the first levels alone are a blurred version of the object. Numbers are whole, in units of 2^-12, and sums of
them are exact in float64: planes are the same to the last bit on any number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float, Int
from torch import Tensor

KERNEL, STRIDE, PADDING = 3, 2, 1
UNIT = 2.0**12
LEVELS = range(2, 7)  # how many there can be: the finest, and at least one before it
LARGEST = 2.0**14  # of features: what damaged latents could make of them stays exact
WIDEST = 8.0  # of numbers of mixes and kernels


def sides_of(side: int, levels: int) -> tuple[int, ...]:
    """Samples along the sides of the levels, coarse first. ValueError where a level would have no two samples."""
    sides = [side]
    for _ in range(levels - 1):
        sides.insert(0, sides[0] // 2 + 1)
    if levels < 1 or min(sides) < 2 or len(set(sides)) < levels:
        raise ValueError(f"{levels} levels of planes of {side} samples a side")
    return tuple(sides)


def most_levels(side: int) -> int:
    """How many levels planes of `side` samples can have."""
    count = 1
    while side > 2:
        side, count = side // 2 + 1, count + 1
    return count


def finer(planes: Tensor, kernel: Tensor, side: int) -> Tensor:
    """Planes (P, F, h, h), twice as fine: (P, F, side, side)."""
    made = functional.conv_transpose2d(planes, kernel, stride=STRIDE, padding=PADDING)
    return made[..., :side, :side]


def latents_that_count(texels: Bool[Tensor, "3 H W"], levels: int) -> list[Bool[Tensor, "3 _h _w"]]:
    """Where levels have latents, coarse first: wherever these reach one of `texels`, those of the finest level."""
    masks = [texels]
    for side in reversed(sides_of(texels.shape[-1], levels)[:-1]):
        missing = 2 * side - 1 - masks[0].shape[-1]
        padded = functional.pad(masks[0].float(), (0, missing, 0, missing))
        masks.insert(0, functional.max_pool2d(padded, KERNEL, STRIDE, PADDING) > 0)
    return masks


@dataclass(frozen=True, eq=False)
class WholePyramid:
    """The decoder of a set as it is stored: whole numbers (int64) in units of 2^-12."""

    mixes: tuple[Int[Tensor, "Z F"], ...]
    """Of each level, coarse first."""
    kernels: tuple[Int[Tensor, "F F 3 3"], ...]
    """From each level but the last to the next."""

    @staticmethod
    def of(mixes: Sequence[Float[Tensor, "Z F"]], kernels: Sequence[Float[Tensor, "F F 3 3"]]) -> "WholePyramid":
        def whole(numbers: Tensor) -> Tensor:
            limit = WIDEST * UNIT - 1
            return (numbers.detach().double() * UNIT).round().clamp(-limit, limit).long()

        return WholePyramid(tuple(map(whole, mixes)), tuple(map(whole, kernels)))

    @property
    def levels(self) -> int:
        return len(self.mixes)

    def floats(self) -> tuple[list[Float[Tensor, "Z F"]], list[Float[Tensor, "F F 3 3"]]]:
        return [own.float() / UNIT for own in self.mixes], [own.float() / UNIT for own in self.kernels]

    @torch.no_grad()
    def __call__(self, latents: Sequence[Int[Tensor, "3 _h _w Z"]], side: int) -> Float[Tensor, "3 H W F"]:
        """Planes of `side`, from the first levels or all of them; the same bits in every process on a machine."""
        planes = None
        for level, size in enumerate(sides_of(side, self.levels)):
            if planes is not None:
                kernel = self.kernels[level - 1].double()
                planes = (finer(planes, kernel, size) / UNIT).round().clamp(-LARGEST * UNIT, LARGEST * UNIT)
            if level < len(latents):
                added = (latents[level].double() @ self.mixes[level].double()).permute(0, 3, 1, 2)
                planes = added if planes is None else planes + added
        assert planes is not None
        return (planes / UNIT).float().permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def nearest_latents(
    planes: Float[Tensor, "3 H W F"],
    texels: Bool[Tensor, "3 H W"],
    mixes: Sequence[Float[Tensor, "F F"]],
    kernels: Sequence[Float[Tensor, "F F 3 3"]],
) -> list[Int[Tensor, "3 _h _w F"]]:
    """Whole latents whose planes are near the given ones at `texels`, coarse first: a Laplacian pyramid.

    Each level takes what is left of the planes, averaged to its samples (Burt and Adelson 1983), as near as it can.
    """
    averaged, levels, sum_so_far = averages(planes, texels, len(mixes)), [], None
    for level, (wanted, here) in enumerate(zip(averaged, latents_that_count(texels, len(mixes)), strict=True)):
        if sum_so_far is not None:
            sum_so_far = finer(sum_so_far, kernels[level - 1], wanted.shape[-1])
            wanted = wanted - sum_so_far
        own = (wanted.permute(0, 2, 3, 1) @ torch.linalg.pinv(mixes[level])).round() * here[..., None]
        added = (own @ mixes[level]).permute(0, 3, 1, 2)
        sum_so_far = added if sum_so_far is None else sum_so_far + added
        levels.append(own.long())
    return levels


def bilinear_kernel(features: int) -> Float[Tensor, "F F 3 3"]:
    """The kernel that makes planes finer by linear interpolation, every feature for itself."""
    line = torch.tensor([0.5, 1.0, 0.5])
    return torch.eye(features)[..., None, None] * (line[:, None] * line)


def averages(planes: Tensor, texels: Tensor, levels: int) -> list[Float[Tensor, "3 F _h _w"]]:
    """Planes at the samples of all levels, coarse first: averages of the texels that count around each."""
    sums, weights = (planes * texels[..., None]).permute(0, 3, 1, 2).float(), texels[:, None].float()
    found, kernel = [sums], bilinear_kernel(1) / STRIDE**2
    for side in reversed(sides_of(planes.shape[1], levels)[:-1]):
        missing = 2 * side - 1 - sums.shape[-1]
        sums, weights = (functional.pad(own, (0, missing, 0, missing)) for own in (sums, weights))
        stacked = sums.reshape(-1, 1, *sums.shape[-2:])
        sums = functional.conv2d(stacked, kernel, stride=STRIDE, padding=PADDING).view(3, -1, side, side)
        weights = functional.conv2d(weights, kernel, stride=STRIDE, padding=PADDING)
        found.insert(0, sums / weights.clamp(min=1e-6))
    return found
