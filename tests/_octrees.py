"""Tiny octree objects with random features, and a collection of them."""

from pathlib import Path

import torch

from manyfields.collection import Collection, ObjectRecord, create_collection
from manyfields.collection.shared_file import shared_config, shared_tensors
from manyfields.families.octree.codes import OctreeCodes, QuantisedLevel, QuantisedOctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.tree import Octree
from manyfields.families.registry import codec_of
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

CONFIG = OctreeConfig(first=2, last=4, features=3, hidden=8, view_frequencies=1)
SAMPLER = Sampler(guided=12, bins=32)
BOUNDS = [[-0.6, -0.7, -0.5], [0.7, 0.6, 0.8]]


def new_shared(config: OctreeConfig = CONFIG) -> SharedPart:
    """Untrained, but with values that float16 holds exactly, and dense enough to be seen."""
    shared = SharedPart(OctreeFamily(config, torch.Generator().manual_seed(1)), None).eval().requires_grad_(False)
    shared.family.output.bias[0] += 2.0
    for parameter in shared.parameters():
        parameter.copy_(parameter.half().float())
    return shared


def ball(seed: int = 0, config: OctreeConfig = CONFIG, points: int = 60) -> Octree:
    """An octree round random points of a sphere."""
    found = torch.randn(points, 3, generator=torch.Generator().manual_seed(seed))
    return Octree.of_points(0.5 * found / found.norm(dim=1, keepdim=True), config.first, config.last)


def plain_codes(*trees: Octree, features: int = CONFIG.features) -> OctreeCodes:
    count = sum(sum(tree.corner_counts) for tree in trees)
    values = torch.randn(count, features, generator=torch.Generator().manual_seed(2))
    return OctreeCodes(trees, values.half().float())


def quantised_codes(*trees: Octree, bits: int = 3, features: int = CONFIG.features) -> QuantisedOctreeCodes:
    generator = torch.Generator().manual_seed(3)

    def level(count: int) -> QuantisedLevel:
        chosen = (torch.rand(count, generator=generator) ** 3 * 2**bits).long()
        return QuantisedLevel(chosen, torch.randn(2**bits, features, generator=generator).half().float())

    return QuantisedOctreeCodes(trees, tuple(tuple(map(level, tree.corner_counts)) for tree in trees))


def write_collection(
    path: Path, codes: OctreeCodes | QuantisedOctreeCodes, names: tuple[str, ...], config: OctreeConfig = CONFIG
) -> Collection:
    shared = new_shared(config)
    tensors, stored = shared_tensors(shared)[0], shared_config(shared, SAMPLER)
    collection = create_collection(path, shared=tensors, config=stored)
    layers = codec_of(shared).encode(codes)
    collection.append([ObjectRecord(name, each, bounds=BOUNDS) for name, each in zip(names, layers, strict=True)])
    return collection
