"""Weights from a coloured hull, against an object that is known to be a mixture of the base planes."""

import torch

from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.families.fused_planes.start_from_hull import EMPTY, _solved


def test_finds_the_weights_of_an_object_that_the_base_planes_hold():
    config = FusedPlanesConfig(
        channels=3, space="rgb", activation="relu", base_planes=3, micro_features=2, macro_features=8, resolution=12
    )
    generator = torch.Generator().manual_seed(3)
    family = FusedPlanes(config, generator)
    with torch.no_grad():
        family.base.mul_(10.0)
    family.requires_grad_(False)
    true = torch.tensor([0.7, -0.4, 0.5])
    codes = family.average_codes(1)
    codes.tensors["weights"][:] = true
    points = torch.rand(600, 3, generator=generator) * 2 - 1

    def values(codes):
        hidden = torch.relu(family.hidden(plane_features(family.planes(codes), points[None])[0]))
        return family.output(hidden)

    wanted = values(codes)
    family.start[:-1] = true + 0.5
    found = _solved(family, points, wanted[:500, 1:4])
    codes.tensors["weights"][:], codes.tensors["bias"][:] = found[:-1], found[-1]
    start = family.average_codes(1)
    before = (values(start) - wanted)[:500, 1:4].square().mean()
    after = (values(codes) - wanted)[:500, 1:4].square().mean()
    assert after < 0.3 * before
    # What lies outside is not left denser than it was.
    excess = [(values(each)[500:, 0] - EMPTY).clamp(min=0).mean() for each in (start, codes)]
    assert excess[1] <= excess[0] + 0.05
