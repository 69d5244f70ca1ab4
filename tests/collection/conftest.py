"""A tiny collection with fixed bytes."""

from pathlib import Path

import pytest
import torch

from manyfields.collection import Collection, ObjectRecord, create_collection

CONFIG = {"family": "fused_planes", "macro": 2}


def tiny_records() -> list[ObjectRecord]:
    moved = [[2.0, 0.0, 0.0, 0.5], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    return [
        ObjectRecord("mug", [b"W0", b"planes of mug", b"more"], label="cup", group="kitchen", metrics={"psnr": 28.5}),
        ObjectRecord("Stuhl ä", [b"W11"], world_to_object=moved, bounds=[[-1, -1, -0.5], [1, 1, 0.5]]),
        ObjectRecord("plate", [b"W222", b"planes of plate"]),
    ]


@pytest.fixture
def tiny(tmp_path: Path) -> Collection:
    shared = {"base": torch.arange(6, dtype=torch.float16).reshape(2, 3), "bias": torch.tensor([0.5, -1.0])}
    collection = create_collection(
        tmp_path / "tiny", shared=shared, config=CONFIG, encoder={"w": torch.ones(2)}, properties={"name": "tiny"}
    )
    collection.append(tiny_records())
    return collection
