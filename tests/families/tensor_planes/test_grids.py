import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.families.tensor_planes.grids import Factors, TensorCodes
from manyfields.families.tensor_planes.products import products
from manyfields.fields import resolution_of


@pytest.mark.parametrize("kind", ["vm", "cp"])
def test_upsampling_to_a_multiple_changes_no_product(kind):
    """Texels of the old grid are texels of the new one: between them linear interpolation stays what it was."""
    few = Factors.random(kind, (3, 4, 5), 2, torch.Generator().manual_seed(0))
    many = few.upsampled((5, 7, 9))
    assert many.resolution == (5, 7, 9) and len(many.planes) == (3 if kind == "vm" else 0)
    places = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(products(many, places), products(few, places), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", ["vm", "cp"])
def test_shrinking_keeps_the_field_where_it_stays(kind, tensors):
    family = tensors.new_shared(kind).family
    whole = tensors.noise(family.new_grids(tensors.BOX, (9, 8, 7)), 3.0)
    wanted = torch.tensor([[-0.3, -0.6, -0.1], [0.5, 0.2, 0.5]])
    part = whole.shrunk(wanted, whole.mask)
    assert part.resolution < whole.resolution
    assert bool((part.box[0] <= wanted[0] + 1e-3).all()) and bool((part.box[1] >= wanted[1] - 1e-3).all())
    assert torch.equal(part.box, whole.shrunk_box(wanted))
    assert part.box[0, 1] == whole.box[0, 1] and part.box[1, 2] == whole.box[1, 2]  # faces that stay stay exactly
    points = part.box[0] + torch.rand(1, 50, 3, generator=tensors.generator()) * (part.box[1] - part.box[0])
    before, after = (family.field(TensorCodes((grids,)))(points) for grids in (whole, part))
    torch.testing.assert_close(after.density, before.density, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(after.channels, before.channels, rtol=1e-3, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(low=st.floats(-0.4, 0.4), size=st.floats(0.0, 0.3), side=st.integers(2, 9))
def test_any_box_leaves_at_least_two_texels(tensors, low, size, side):
    grids = tensors.new_shared().family.new_grids(tensors.BOX, (side, side, 3))
    part = grids.shrunk(torch.tensor([[low] * 3, [low + size] * 3]), grids.mask)
    assert min(part.resolution) >= 2
    assert bool((part.box[1] > part.box[0]).all())


def test_numbers_are_exchanged_in_the_order_of_tensors(tensors):
    grids = tensors.new_shared().family.new_grids(tensors.BOX, tensors.RESOLUTION)
    doubled = grids.with_tensors([2 * tensor for tensor in grids.tensors])
    assert torch.equal(doubled.appearance.planes[1], 2 * grids.appearance.planes[1])
    assert torch.equal(doubled.density.vectors[2], 2 * grids.density.vectors[2])
    assert doubled.appearance.planes[1].shape == (7, 5, 8)  # XZ: rows along z, columns along x
    assert doubled.density.vectors[0].shape == (7, 4)  # beside XY: along z


def test_texels_are_cubes():
    assert resolution_of(torch.tensor([[-1.0, -1, -1], [1, 1, 1]]), 20) == (20, 20, 20)
    x, y, z = resolution_of(torch.tensor([[0.0, 0, 0], [2.0, 1, 0.5]]), 100)
    assert x == pytest.approx(2 * y, abs=2) and y == pytest.approx(2 * z, abs=2)
    assert x * y * z == pytest.approx(100**3, rel=0.02)


def test_codes_are_taken_by_rows(tensors):
    codes = tensors.random_codes(tensors.new_shared().family, 3)
    assert codes[[2, 0]].grids == (codes.grids[2], codes.grids[0])
    assert len(codes[-1]) == 1
    with pytest.raises(IndexError, match="object 3 of 3"):
        codes[3]
