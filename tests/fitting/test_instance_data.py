"""What steps see of images and voxels."""

import numpy as np
import torch

from manyfields.fitting.instance_data import InstanceData, grid_points
from manyfields.views.instances import Instance


def instances(values: np.ndarray, side: int) -> list[Instance]:
    return [Instance(f"i{n}", each, side) for n, each in enumerate(values)]


def test_points_are_centres_of_cells():
    flat = grid_points(2, 2)
    assert flat.tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]  # x, y: row by row
    cube = grid_points(2, 3)
    assert cube[1].tolist() == [-0.5, -0.5, 0.5] and cube[4].tolist() == [0.5, -0.5, -0.5]


def test_values_are_those_of_the_points():
    side = 6
    x, y = grid_points(side, 2).T.numpy()
    colors = np.stack([(x + 1) * 127, (y + 1) * 127, 0 * x], -1).round().astype(np.uint8)
    data = InstanceData(instances(np.stack([colors, 255 - colors]), side))
    points, values = data.draw(torch.tensor([1, 0]), 20, torch.Generator().manual_seed(0))
    assert points.shape == (2, 20, 2) and values.shape == (2, 20, 3)
    assert torch.allclose(values[1, :, :2], (points[1] + 1) * 127 / 255, atol=0.003)
    assert torch.allclose(values[0, :, :2], 1 - (points[0] + 1) * 127 / 255, atol=0.003)
    assert not torch.equal(points[0], points[1])
    whole, all_values = data.draw(torch.tensor([0]), 36, torch.Generator())
    assert torch.equal(whole[0], data.points) and torch.equal(all_values[0], torch.from_numpy(colors).float() / 255)


def test_voxels_are_drawn_near_surfaces():
    side = 16
    solid = np.zeros((side,) * 3, np.uint8)
    solid[4:12, 4:12, 4:12] = 255
    data = InstanceData(instances(np.stack([solid, np.roll(solid, 3, 0)]).reshape(2, -1, 1), side))
    points, values = data.draw(torch.tensor([0, 1]), 2000, torch.Generator().manual_seed(0))
    for row, middle in ((0, 0.0), (1, 3 / 8)):
        beyond = (points[row] - torch.tensor([middle, 0, 0])).abs().amax(-1) - 0.5
        near = beyond.abs() <= 2 * 2 / side
        assert 0.75 < near.float().mean() < 0.95
        assert torch.equal(values[row, :, 0] > 0.5, beyond < 0)
