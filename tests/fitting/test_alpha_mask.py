import torch

from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.fitting.alpha_mask import box_of, cell_densities, mask_of, within

CUBE = torch.tensor([[-0.5] * 3, [0.5] * 3])


def test_a_mask_holds_what_the_field_holds_and_its_neighbours(tensors):
    family = tensors.new_shared().family
    codes = tensors.column(family, side=24, radius=0.25)
    density = cell_densities(family.field(codes), CUBE, 16)
    mask = mask_of(density, CUBE)
    axis = (torch.arange(16) + 0.5) / 16 - 0.5
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    radius = (x.square() + y.square()).sqrt()
    assert bool(mask[(radius < 0.2) & (z.abs() < 0.2)].all())
    assert not bool(mask[(radius > 0.45) | (z.abs() > 0.45)].any())
    kept = box_of(mask, CUBE)
    assert bool((kept[0] <= -0.25).all()) and bool((kept[1] >= 0.25).all())
    assert float(kept.abs().max()) < 0.5


def test_a_shrunk_scene_renders_as_before(tensors):
    family = tensors.new_shared().family
    codes = tensors.column(family, side=24, radius=0.25)
    (grids,) = codes.grids
    mask = mask_of(cell_densities(family.field(codes), CUBE, 16), CUBE)
    kept = grids.shrunk_box(box_of(mask, CUBE))
    part = grids.shrunk(kept, within(mask, CUBE, kept))
    points = torch.rand(1, 500, 3, generator=tensors.generator()) - 0.5
    before = family.field(codes).density(points)
    after = family.field(TensorCodes((part,))).density(points)
    torch.testing.assert_close(after, before, atol=0.05, rtol=1e-3)
    assert part.density.planes[0].numel() < grids.density.planes[0].numel()


def test_a_mask_moves_to_a_smaller_box_without_a_loss():
    mask = torch.zeros(8, 8, 8, dtype=torch.uint8)
    mask[2, 3, 4] = mask[5, 5, 5] = 1
    box = torch.tensor([[0.0, 0, 0], [8.0, 8, 8]])
    part = torch.tensor([[1.0, 2, 3], [6.5, 6.5, 7]])
    moved = within(mask, box, part)
    points = part[0] + torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * (part[1] - part[0])
    old = mask[tuple(points.long().T)]
    cells = ((points - part[0]) / (part[1] - part[0]) * 8).long()
    assert bool((moved[tuple(cells.T)] >= old).all()) and int(old.sum()) > 20
    assert int(moved.sum()) <= 2 * 3 * 3 * 2  # a cell of the old mask spans at most so many new ones
    assert torch.equal(within(mask, box, box), mask)


def test_a_field_that_is_empty_keeps_its_box():
    assert torch.equal(box_of(torch.zeros(4, 4, 4, dtype=torch.uint8), CUBE), CUBE)
