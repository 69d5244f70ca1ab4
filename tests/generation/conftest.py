"""Twelve objects of tiny fused planes, as a shared part and a collection."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from manyfields.collection import Collection, ObjectRecord, create_collection
from manyfields.collection.shared_file import shared_config, shared_tensors
from manyfields.families.registry import codec_of
from manyfields.fields import Codes
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart


@pytest.fixture
def shared(twelve) -> SharedPart:
    return twelve.shared()


@pytest.fixture
def codes(twelve, shared) -> Codes:
    return twelve.codes(shared)


@pytest.fixture
def boxes(twelve) -> torch.Tensor:
    return twelve.boxes()


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
