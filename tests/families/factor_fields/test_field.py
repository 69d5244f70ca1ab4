import json
import math

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.factor_fields.field import FactorConfig, FactorFamily
from manyfields.families.factor_fields.products import factor_products
from manyfields.families.registry import family_config, family_from_config


def test_a_field_is_what_the_paper_writes(factors):
    family = factors.new_shared().family
    codes = factors.random_codes()
    grids = codes.grids[0]
    points, direction = torch.tensor([[[0.1, -0.2, 0.3]]]), torch.tensor([[[0.0, 0.6, -0.8]]])
    place = (points[0] - factors.BOX[0]) / (factors.BOX[1] - factors.BOX[0])
    config = family.config
    products = factor_products(grids, place, config.frequencies, config.wave)
    made = family.projected(torch.relu(family.projection(products)))
    found = family.field(codes)(points, direction)
    density = 25.0 * math.log1p(math.exp(made[0, 0].item() - 10.0))
    assert float(found.density) == pytest.approx(density, rel=1e-3)
    torch.testing.assert_close(found.channels[0], family.seen(made[:, 1:], direction[0]))


def test_sizes_are_those_of_the_authors():
    config = FactorConfig()
    family = FactorFamily(config)
    grids = family.new_grids(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    numbers = sum(basis.numel() for basis in grids.bases)
    # Table 7 of Neural NeRF Compression: 18.89 MB of basis grids in float32.
    assert 4 * numbers == pytest.approx(18.89e6, rel=0.005)
    assert grids.coefficients.shape == (32, 32, 32, 18)
    assert family.projection.weight.shape == (64, 18) and family.projected.weight.shape == (32, 64)
    assert config.inputs == 31 * 5 + 3 * 13 and family.output.weight.shape == (3, 128)


def test_outside_of_the_box_there_is_nothing(factors):
    family = factors.new_shared().family
    middle, size = factors.BOX.mean(0), factors.BOX[1] - factors.BOX[0]
    points = middle + size * torch.tensor([[0.49, 0.49, -0.49], [0.51, 0.0, 0.0], [0.0, -0.6, 0.0]])
    density = family.field(factors.random_codes()).density(points[None])[0]
    assert density[0] > 0 and density[1] == 0 and density[2] == 0


def test_scenes_side_by_side_are_the_scenes_alone(factors):
    field = factors.new_shared().family.field(factors.random_codes(count=2))
    points, along = torch.rand(2, 9, 3) - 0.4, torch.nn.functional.normalize(torch.randn(2, 9, 3), dim=-1)
    together = field(points, along)
    for row in range(2):
        alone = field[row](points[row : row + 1], along[row : row + 1])
        torch.testing.assert_close(together.density[row], alone.density[0])
        torch.testing.assert_close(together.channels[row], alone.channels[0])


def test_a_config_goes_through_json(factors):
    stored = json.loads(json.dumps(family_config(factors.new_shared().family)))
    assert stored["family"] == "factor-fields"
    assert family_from_config(stored).config == factors.CONFIG


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sides": (4, 5)}, "one of each for every level"),
        ({"sides": (), "widths": (), "frequencies": ()}, "1 to 16"),
        ({"sides": (1,) * 6}, "from 2 to 512 texels"),
        ({"coefficients": 1000}, "from 2 to 512 texels"),
        ({"widths": (0,) * 6}, "must be above 0"),
        ({"frequencies": (0.0,) * 6}, "must be above 0"),
        ({"wave": "sine"}, "wave 'sine': either 'sawtooth' or 'triangle'"),
        ({"projection": 0}, "projection 0: must be above 0"),
        ({"density_gain": 0.0}, "density_gain: above 0"),
    ],
)
def test_sizes_without_meaning_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        FactorConfig(**change)
