"""Tiny fused planes with hulls, as a shared part and a collection."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from manyfields.collection import Collection, ObjectRecord, create_collection
from manyfields.collection.shared_file import shared_config, shared_tensors
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.registry import codec_of
from manyfields.fields import Codes
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

HULL = 16


@pytest.fixture
def shared() -> SharedPart:
    """Fields whose density is high everywhere: what there is of an object is its hull."""
    config = FusedPlanesConfig(
        micro_features=2,
        macro_features=4,
        base_planes=2,
        resolution=8,
        hidden=8,
        channels=3,
        space="rgb",
        span="box",
        hull=HULL,
    )
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        family.output.bias[0] = 5.0
    return SharedPart(family, None).requires_grad_(False)


@pytest.fixture
def codes(shared) -> Codes:
    """Twelve objects, blocks of several lengths."""
    made = shared.family.new_codes(12, torch.Generator().manual_seed(1))
    hull = torch.zeros(12, HULL, HULL, HULL, dtype=torch.uint8)
    for row in range(12):
        hull[row, 3:13, 4 : 6 + row // 2, 2:14] = 1
    return Codes({**made.tensors, "hull": hull})


@pytest.fixture
def boxes() -> torch.Tensor:
    half = 0.3 + 0.5 * torch.rand(12, 1, 3, generator=torch.Generator().manual_seed(2))
    return torch.cat([-half, half], 1)


@pytest.fixture
def stored(tmp_path, shared, codes, boxes) -> Callable[..., Collection]:
    """`stored(name)`: a collection of the twelve objects; two classes, six groups."""

    def write(name: str = "run", labels: tuple[str | None, str | None] = ("boat", "cart")) -> Collection:
        tensors, _ = shared_tensors(shared)
        sampler = Sampler(guided=4, bins=16, supersampling=1)
        folder: Path = tmp_path / name
        target = create_collection(folder, shared=tensors, config=shared_config(shared, sampler))
        layers = codec_of(shared).encode(codes)
        target.append(
            [
                ObjectRecord(f"o{row:02d}", layers[row], labels[row % 2], f"g{row // 2}", bounds=boxes[row].numpy())
                for row in range(12)
            ]
        )
        return target

    return write
