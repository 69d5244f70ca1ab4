import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError
from manyfields.fitting.texel_importance import texel_importance
from manyfields.rendering import Sampler

SAMPLER = Sampler(guided=16, bins=48)


def importance(tensors, views=4):
    shared = tensors.new_shared("vm", guide_side=16)
    codes = tensors.column(shared.family)
    box = codes.grids[0].box[None]
    guide = shared.guide(codes, box)
    cameras = orbit(views, elevation=20.0, width=24, height=24)
    maps = texel_importance(shared.family.field(codes), cameras, box, guide, SAMPLER)
    opacity = shared.pictures(codes, cameras[None], box, SAMPLER, guide=guide).opacity
    return maps, float(opacity.sum())


def test_every_map_sums_to_the_opacity_of_all_pixels(tensors):
    maps, opacity = importance(tensors)
    for each in maps:
        assert each.shape == (12, 12) and bool((each >= 0).all())
        # But for samples that are too faint to count.
        assert float(each.sum()) == pytest.approx(opacity, rel=1e-2)


def test_what_is_seen_matters(tensors):
    # The column's side is seen all around, and nothing of what lies in its middle.
    (top, *_), _ = importance(tensors, views=12)
    axis = torch.linspace(-0.5, 0.5, 12)
    radius = (axis[:, None].square() + axis.square()).sqrt()
    rim = top[(radius > 0.3) & (radius < 0.45)].mean()
    assert rim > 5 * top[radius > 0.55].mean() and rim > 2 * top[radius < 0.15].mean()


def test_scenes_without_planes_are_refused(tensors):
    shared = tensors.new_shared("cp")
    codes = tensors.random_codes(shared.family)
    box = codes.grids[0].box[None]
    with pytest.raises(ConfigError, match="no planes"):
        texel_importance(shared.family.field(codes), orbit(1), box, torch.ones(1, 8, 8, 8), SAMPLER)
