"""Distance fields: the network on positions and features, levels, and what does not fit together."""

import pytest
import torch

from manyfields.compiled import plain_only
from manyfields.errors import ConfigError
from manyfields.families.octree.tree import Octree
from manyfields.shapes.field import DistanceConfig, DistanceFamily

CONFIG = DistanceConfig(first=2, last=4, features=5, hidden=7, truncation=0.2)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def parts():
    tree = Octree.of_points(torch.rand(40, 3, generator=draw()) - 0.5, 2, 4)
    return DistanceFamily(CONFIG, draw()), tree, torch.randn(sum(tree.corner_counts), 5, generator=draw())


def by_hand(family, tree, table, point, levels):
    """One point: trilinear weights over the corners of its voxels, and the network as two products."""
    features, start = torch.zeros(5, dtype=torch.float64), 0
    for number, count in enumerate(tree.corner_counts[:levels]):
        level = tree.first + number
        voxel = int(tree.find(point[None], level))
        if voxel >= 0:
            place = (point.double() + 1) * 2 ** (level - 1)
            inner = place - place.floor()
            for octant, corner in enumerate(tree.corner_of[number][voxel].tolist()):
                weight = 1.0
                for axis in range(3):
                    weight *= float(inner[axis]) if octant >> axis & 1 else 1 - float(inner[axis])
                features += weight * table[start + corner].double()
        start += count
    given = torch.cat([point.double(), features])
    hidden = (family.hidden.weight.double() @ given + family.hidden.bias.double()).clamp(min=0)
    return 0.2 * float((family.output.weight.double() @ hidden + family.output.bias.double()).detach())


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("level", [1, 2, None])
def test_a_distance_is_features_and_position_through_the_network(parts, level, plain):
    family, tree, table = parts
    points = torch.rand(30, 3, generator=draw(1)) - 0.5
    if plain:
        with plain_only():
            found = family.field(tree, table, level)(points)
    else:
        found = family.field(tree, table, level)(points)
    expected = [by_hand(family, tree, table, point, level or 3) for point in points]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=1e-5)


def test_gradients_reach_table_and_network(parts):
    family, tree, table = parts
    table.requires_grad_()
    distances, inside = family.field(tree, table).relative(torch.rand(200, 3, generator=draw(2)) * 2 - 1)
    assert 0 < int(inside.sum()) < 200
    distances[inside].sum().backward()
    assert int(table.grad.any(-1).sum()) > 10 and all(each.grad.any() for each in family.parameters())


def test_what_does_not_fit_is_refused(parts):
    family, tree, table = parts
    with pytest.raises(ValueError, match="the family has range"):
        family.field(Octree.of_points(torch.zeros(1, 3), 2, 3), table)
    with pytest.raises(ValueError, match="rows of features"):
        family.field(tree, table[1:])
    with pytest.raises(ValueError, match="level 4: from 1 to 3"):
        family.field(tree, table, 4)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"first": 5, "last": 4}, "coarse first"), ({"hidden": 0}, "hidden 0"), ({"truncation": 0.0}, "truncation 0.0")]
    + [({"truncation": float("nan")}, "truncation: a number, not nan"), ({"features": 256}, "at most 255")],
)
def test_sizes_without_meaning(sizes, message):
    with pytest.raises(ConfigError, match=message):
        DistanceConfig(**sizes)


def test_the_network_has_as_many_numbers_as_its_config_says():
    assert sum(each.numel() for each in DistanceFamily(CONFIG).parameters()) == CONFIG.network
