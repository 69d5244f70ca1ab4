"""Objects as parts, and back."""

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.parts import CodeParts
from manyfields.families.parts import boxes as boxes_of
from manyfields.families.registry import parts_of
from manyfields.fields import Codes
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


def test_fused_planes_come_back(shared, codes, boxes):
    parts = parts_of(shared)
    again, same_boxes = parts.codes(parts.of(codes, boxes))
    assert torch.allclose(same_boxes, boxes, atol=1e-6)
    for name in ("weights", "bias"):
        assert torch.equal(again.tensors[name], codes.tensors[name])
    assert bool((again.tensors["hull"] >= codes.tensors["hull"]).all())
    assert again.tensors["hull"].sum() < 2 * codes.tensors["hull"].sum()
    assert parts.layers == 3 and parts.groups == (("weights", "micro", "shape"), ("box",))


def test_micro_planes_count_in_the_shadow_of_the_hull_alone(shared, codes, boxes):
    parts = parts_of(shared)
    again, _ = parts.codes(parts.of(codes, boxes))
    kept = (again.tensors["micro"] != 0).any(-1)
    assert torch.equal(again.tensors["micro"][kept], codes.tensors["micro"][kept])
    # Object 0 fills y from 4 to 5 of 16: rows 2 and, grown by two, 0 to 4 of plane XY (its rows are y).
    assert kept[0, 0].any(1).tolist() == [True] * 5 + [False] * 3
    # Plane XZ (columns x 3 to 12, rows z 2 to 13) is covered all over when grown.
    assert bool(kept[0, 1].all())


def test_layer_0_is_weights_with_shape_and_box(shared, codes, boxes):
    parts = parts_of(shared, 1)
    taken = parts.of(codes, boxes)
    assert list(taken) == ["weights", "shape", "box"] and parts.layers == 2
    again, _ = parts.codes(taken)
    assert not again.tensors["micro"].any() and torch.equal(again.tensors["weights"], codes.tensors["weights"])


def test_a_level_that_shows_nothing(shared):
    with pytest.raises(ConfigError, match="level 7: objects of this family show with 1, 2, 3"):
        parts_of(shared, 7)


def test_any_codes_of_one_shape(boxes):
    shared = SharedPart(MixtureFamily(MixtureConfig(hidden_layers=0, width=2, bases=2, latent=5)), None)
    parts = parts_of(shared)
    assert isinstance(parts, CodeParts)
    codes = Codes({"latent": torch.randn(12, 5)})
    again, same = parts.codes(parts.of(codes, boxes))
    assert torch.equal(again.tensors["latent"], codes.tensors["latent"]) and torch.allclose(same, boxes, atol=1e-6)

    with pytest.raises(ConfigError, match="level 2: a code of this family is drawn whole"):
        parts_of(shared, 2)


def test_families_without_one_shape(octrees, tensors):
    for shared in (octrees.new_shared(), tensors.new_shared()):
        with pytest.raises(ConfigError, match="octrees and scenes of grids have none"):
            parts_of(shared)


def test_boxes_are_never_flat_and_within_the_cube():
    wild = torch.tensor([[0.3, 0.3, 0.3, 0.2, 0.3, 5.0], [-9.0, -1.0, -1.0, -8.0, 1.0, 1.0]])
    low, high = boxes_of(wild).unbind(1)
    assert bool((high - low > 0.009).all()) and bool((low >= -1).all()) and bool((high <= 1).all())
