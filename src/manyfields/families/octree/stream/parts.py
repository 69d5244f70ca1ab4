"""What the streams of octree objects (docs/reference/vq_stream.md) have in common, whatever their fields give.

header, config ──► family ──► network from numbers ──► octree, indices
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from manyfields.errors import CollectionError
from manyfields.families.octree.codes import QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.stream.codec import octree_of
from manyfields.families.octree.stream.stream import VqLevel, VqObject, read_header
from manyfields.families.octree.tree import Levels, Octree

DISTANCES = "signed-distance"
"""The family in the config of a stream that holds a distance field."""


class StreamConfig(Levels, Protocol):
    """What of a family's config its codes depend on."""

    @property
    def features(self) -> int: ...


def whole_levels(data: bytes, size: int) -> bytes:
    """The longest part of the first `size` bytes that ends where a level does. A level that is damaged stays in it."""
    if size < 1:
        raise CollectionError(f"{size} bytes were asked for; ask for at least 1")
    header = read_header(data[:size])
    ends = header.ends()[1:]
    if not ends or min(size, len(data)) < ends[0]:
        needed = f"; the first level ends at byte {ends[0]:,}" if ends else ", and there are none"
        raise CollectionError(f"its first {min(size, len(data)):,} bytes hold no whole level{needed}")
    return data[: max(end for end in ends if end <= min(size, len(data)))]


def network_of(family: nn.Module) -> Float[Tensor, " p"]:
    """The numbers that are the network of a stream."""
    return torch.cat([tensor.flatten() for tensor in _parameters(family).values()])


def load_network(family: nn.Module, values: Float[Tensor, " p"]) -> None:
    """The way back. Raises CollectionError where there are more or fewer."""
    parameters = _parameters(family)
    expected = sum(parameter.numel() for parameter in parameters.values())
    if len(values) != expected:
        raise CollectionError(f"its network has {len(values)} numbers, its config asks for {expected}")
    parts = values.split([parameter.numel() for parameter in parameters.values()])
    for parameter, part in zip(parameters.values(), parts, strict=True):
        parameter.copy_(part.view(parameter.shape))


def levels_of(tree: Octree, levels: Sequence[QuantisedLevel]) -> tuple[VqLevel, ...]:
    """The levels of a stream: those that have voxels."""
    present = zip(tree.voxels, levels, strict=True)
    return tuple(VqLevel(voxels, each.indices, each.codebook) for voxels, each in present if len(voxels))


def code_of(item: VqObject, config: StreamConfig) -> QuantisedOctreeCodes:
    """The code (B = 1) of what was read; levels that are not there have no voxels. Raises CollectionError."""
    if item.first != config.first or len(item.levels) > len(config.levels):
        raise CollectionError(f"levels from {item.first} on, but its config has {config.first} to {config.last}")
    tree = octree_of([level.voxels.numpy() for level in item.levels], config)
    nothing = QuantisedLevel(torch.zeros(0, dtype=torch.int64), torch.zeros(0, config.features))
    levels = [nothing] * len(config.levels)
    for row, level in enumerate(item.levels):
        if len(level.indices) != tree.corner_counts[row] or level.codebook.shape[1] != config.features:
            raise CollectionError(
                f"level {config.first + row}: {len(level.indices)} corners with {level.codebook.shape[1]} features, "
                f"its octree has {tree.corner_counts[row]}, its config {config.features}"
            )
        levels[row] = QuantisedLevel(level.indices, level.codebook)
    return QuantisedOctreeCodes((tree,), (tuple(levels),))


def _parameters(family: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in sorted(family.named_parameters())}
