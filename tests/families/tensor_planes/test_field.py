import math
from dataclasses import replace

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.field import TensorConfig, TensorFamily
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.products import products


@pytest.mark.parametrize("kind", ["vm", "cp"])
def test_a_field_is_what_the_paper_writes(kind, tensors):
    family = tensors.new_shared(kind, density_gain=3.0).family
    codes = tensors.random_codes(family)
    grids = codes.grids[0]
    points = torch.tensor([[[0.1, -0.2, 0.3]]])
    direction = torch.tensor([[[0.0, 0.6, -0.8]]])
    found = family.field(codes)(points, direction)
    place = (points[0] - tensors.BOX[0]) / (tensors.BOX[1] - tensors.BOX[0])
    density = 3.0 * math.log1p(math.exp(float(products(grids.density, place).sum()) - 10.0))
    assert float(found.density) == pytest.approx(density, rel=1e-3)

    f = products(grids.appearance, place) @ family.basis.weight.T
    d = direction[0]
    parts = [f, *(wave for trig in (torch.sin, torch.cos) for wave in [trig(_octaves(f))])]
    parts += [d, *(wave for trig in (torch.sin, torch.cos) for wave in [trig(_octaves(d))])]
    hidden = torch.relu(family.second(torch.relu(family.first(torch.cat(parts, -1)))))
    torch.testing.assert_close(found.channels[0], torch.sigmoid(family.output(hidden)))


def _octaves(values: torch.Tensor) -> torch.Tensor:
    return torch.cat([values, 2 * values], -1)


def test_sizes_are_those_of_the_paper():
    config = TensorConfig()
    family = TensorFamily(config)
    assert (config.products, config.inputs) == (144, 150)
    assert family.basis.weight.shape == (27, 144) and family.output.weight.shape == (3, 128)
    grids = family.new_grids(torch.tensor([[-1.0] * 3, [1.0] * 3]), (300, 300, 300))
    planes = sum(plane.numel() for factors in (grids.density, grids.appearance) for plane in factors.planes)
    # Table 1 of Neural NeRF Compression: 67.6 MB of planes in float32 for lego, whose box is no cube.
    assert planes == 3 * 300**2 * 64
    assert float(grids.density.planes[0].std()) == pytest.approx(0.1, rel=0.02)


def test_a_scene_may_bring_its_own_network(tensors):
    family = tensors.new_shared().family
    codes, numbers = tensors.random_codes(family, 3), family.numbers()
    assert len(numbers) == family.config.numbers == sum(each.numel() for each in family.parameters())
    assert TensorConfig().numbers == 27 * 144 + 151 * 128 + 129 * 128 + 129 * 3
    own = family.with_numbers(2.0 * numbers)
    mixed = TensorCodes((codes.grids[0], replace(codes.grids[1], network=2.0 * numbers), codes.grids[2]))
    points, directions = torch.rand(3, 7, 3) - 0.5, torch.rand(3, 7, 3)
    found, shared = (family.field(each)(points, directions) for each in (mixed, codes))
    assert torch.equal(found.density, shared.density)
    torch.testing.assert_close(found.channels[[0, 2]], shared.channels[[0, 2]])
    expected = own.field(codes).colors(points, directions)[1]
    torch.testing.assert_close(found.channels[1], expected)
    assert not torch.allclose(expected, shared.channels[1], atol=1e-3)
    assert torch.equal(family.field(mixed)[1].colors(points[1:2], directions[1:2])[0], found.channels[1])
    assert torch.equal(family.numbers(), numbers)
    moved = mixed.grids[1].to("cpu").shrunk(tensors.BOX / 2, mixed.grids[1].mask)
    assert torch.equal(moved.network, 2.0 * numbers)


def test_outside_of_the_box_there_is_nothing(tensors):
    family = tensors.new_shared().family
    codes = tensors.random_codes(family, scale=3.0)
    middle, size = tensors.BOX.mean(0), tensors.BOX[1] - tensors.BOX[0]
    points = middle + size * torch.tensor([[0.49, 0.49, -0.49], [0.51, 0.0, 0.0], [0.0, -0.6, 0.0]])
    density = family.field(codes).density(points[None])[0]
    assert density[0] > 0 and density[1] == 0 and density[2] == 0


def test_scenes_side_by_side_are_the_scenes_alone(tensors):
    family = tensors.new_shared().family
    codes = tensors.random_codes(family, 2)
    field = family.field(codes)
    points, along = torch.rand(2, 9, 3) - 0.5, torch.nn.functional.normalize(torch.randn(2, 9, 3), dim=-1)
    together = field(points, along)
    for row in range(2):
        alone = field[row](points[row : row + 1], along[row : row + 1])
        torch.testing.assert_close(together.density[row], alone.density[0])
        torch.testing.assert_close(together.channels[row], alone.channels[0])
    with pytest.raises(IndexError, match="object 2 of 2"):
        field[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tucker"}, "kind 'tucker': either 'vm' or 'cp'"),
        ({"features": 0}, "features 0: must be above 0"),
        ({"view_frequencies": -1}, "not below 0"),
        ({"density_gain": 0.0}, "density_gain: above 0"),
    ],
)
def test_sizes_without_meaning_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        TensorConfig(**change)
