import numpy as np
import pytest
import torch

from manyfields.compression.base_planes import BASE, CODED, SHAPE, code_shared, decoded_shared
from manyfields.errors import CollectionError


@pytest.fixture
def shared() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    loud = torch.tensor([0.1, 1.0, 30.0])
    base = loud * torch.randn(2, 3, 16, 16, 3, generator=generator)
    return {BASE: base.half(), "background": torch.ones(3)}


def test_base_planes_come_back_to_half_a_step_of_their_own(shared):
    tensors, config = code_shared(shared, {"codec": "float16"})
    assert set(tensors) == {CODED, "background"} and config == {"codec": "float16", SHAPE: [2, 3, 16, 16, 3]}
    assert tensors[CODED].dtype == torch.uint8 and tensors[CODED].numel() < 0.6 * shared[BASE].numel() * 2
    found = decoded_shared(tensors, config)
    assert set(found) == set(shared) and torch.equal(found["background"], shared["background"])
    base = shared[BASE].float()
    step = base.abs().amax((1, 2, 3), keepdim=True) / 127  # of each plane and feature
    assert bool(((found[BASE] - base).abs() <= 0.502 * step).all())


def test_what_has_no_base_planes_stays(shared):
    others = {"background": shared["background"]}
    assert code_shared(others, {"codec": "float16"}) == (others, {"codec": "float16"})
    assert decoded_shared(others, {}) == others


@pytest.mark.parametrize(
    "shape",
    [None, [2, 3, 16, 16], [2, 3, 16, 16, "x"], [0, 3, 16, 16, 3], [2, 3, 1 << 20, 1 << 20, 3], [2, 3, 16, 16, 4]],
)
def test_shapes_that_do_not_fit_are_refused(shared, shape):
    tensors, config = code_shared(shared, {})
    config = {} if shape is None else {SHAPE: shape}
    with pytest.raises(CollectionError, match="the base planes") as caught:
        decoded_shared(tensors, config)
    assert "\n" not in str(caught.value)


def test_damaged_bytes_are_refused_or_numbers(shared):
    tensors, config = code_shared(shared, {})
    generator = np.random.default_rng(0)
    for _ in range(50):
        data = tensors[CODED].clone()
        data[int(generator.integers(len(data)))] ^= int(generator.integers(1, 256))
        try:
            found = decoded_shared({CODED: data}, config)[BASE]
        except CollectionError:
            continue
        assert found.shape == shared[BASE].shape
