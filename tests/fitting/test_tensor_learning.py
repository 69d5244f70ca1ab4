import pytest
import torch

from manyfields.families.tensor_planes.fitter import magnitude, variation
from manyfields.families.tensor_planes.grids import Factors


def test_regularities_are_what_they_say():
    plane = torch.tensor([[0.0, 1.0], [2.0, -5.0]])[..., None]
    factors = Factors((plane, plane, plane), (torch.tensor([[1.0], [-3.0]]),) * 3)
    assert float(magnitude(factors)) == pytest.approx(3 * 2.0 + 3 * 2.0)
    rows, columns = (4.0 + 36.0) / 2, (1.0 + 49.0) / 2
    assert float(variation(factors)) == pytest.approx(0.02 * 3 * (rows + columns))
    assert float(variation(Factors((), factors.vectors))) == 0.0
