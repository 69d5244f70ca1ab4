import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.families.fused_planes.plane_features import corner_rows, plane_features


def planes_and_points(objects=2, side=(5, 7), features=3, count=11, seed=0, reach=1.0):
    generator = torch.Generator().manual_seed(seed)
    planes = torch.randn(objects, 3, *side, features, dtype=torch.float64, generator=generator)
    points = (2 * torch.rand(objects, count, 3, dtype=torch.float64, generator=generator) - 1) * reach
    return planes.requires_grad_(), points


def by_grid_sample(planes, points):
    """The same features through PyTorch's own sampler, one plane after the other."""
    total = 0
    for plane, axes in enumerate([(0, 1), (0, 2), (1, 2)]):
        sampled = functional.grid_sample(
            planes[:, plane].permute(0, 3, 1, 2), points[:, :, None, axes], align_corners=True, padding_mode="border"
        )
        total = total + sampled.squeeze(-1).transpose(1, 2)
    return total


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(2, 6), st.integers(2, 6), st.integers(0, 1000), st.sampled_from([0.9, 1.0, 1.7]))
def test_forward_and_gradient_equal_grid_sample(objects, height, width, seed, reach):
    planes, points = planes_and_points(objects, (height, width), seed=seed, reach=reach)
    ours, theirs = plane_features(planes, points), by_grid_sample(planes, points)
    torch.testing.assert_close(ours, theirs)
    loss = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        torch.autograd.grad((ours * loss).sum(), planes)[0], torch.autograd.grad((theirs * loss).sum(), planes)[0]
    )


def test_gradient_equals_finite_differences():
    planes, points = planes_and_points(objects=2, side=(2, 3), features=2, count=3)
    assert torch.autograd.gradcheck(lambda p: plane_features(p, points), planes)


def test_rows_that_no_point_reads_get_no_gradient():
    planes, _ = planes_and_points(objects=1, side=(4, 4))
    plane_features(planes, torch.full((1, 1, 3), -1.0, dtype=torch.float64)).sum().backward()
    touched = planes.grad.abs().sum(-1) > 0
    assert touched.sum() == 3 and touched[0, :, 0, 0].all()


def test_each_plane_reads_its_own_two_axes():
    # A plane that grows by 1 along its columns or rows answers with the coordinate of that axis.
    grid = torch.linspace(-1, 1, 5)
    points = torch.tensor([[[0.1, -0.4, 0.7]]])
    for plane, (column, row) in enumerate([(0, 1), (0, 2), (1, 2)]):
        planes = torch.zeros(1, 3, 5, 5, 2)
        planes[0, plane, :, :, 0] = grid[None, :]
        planes[0, plane, :, :, 1] = grid[:, None]
        torch.testing.assert_close(plane_features(planes, points)[0, 0], points[0, 0, [column, row]])


def test_points_outside_are_clamped_to_the_border():
    planes, _ = planes_and_points(objects=1)
    outside = torch.tensor([[[3.0, -2.0, 0.25], [-9.0, 1e13, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(plane_features(planes, outside), plane_features(planes, outside.clamp(-1, 1)))


def test_corners_read_exactly_one_row_of_each_plane():
    corners = torch.tensor([[[-1.0, -1, -1], [1, 1, 1]]])
    rows, weights = corner_rows(corners, 4, 6)
    assert rows.min() >= 0 and rows.max() == 3 * 24 - 1
    torch.testing.assert_close(weights.sum(-1), torch.full((2,), 3.0))
    assert ((weights == 0) | (weights == 1)).all()


def test_objects_of_planes_and_points_must_agree(unchecked_shapes):
    planes, points = planes_and_points()
    with pytest.raises(ValueError, match="2 objects of planes, but 1 of points"):
        plane_features(planes, points[:1])
