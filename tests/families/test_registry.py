import json
from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.registry import FAMILIES, family_config, family_from_config

TINY = FusedPlanesConfig(micro_features=2, macro_features=3, base_planes=4, resolution=5, hidden=6, channels=3)


def test_a_family_is_rebuilt_from_its_config_and_state():
    family = FusedPlanes(TINY)
    again = family_from_config(json.loads(json.dumps(family_config(family))))
    again.load_state_dict(family.state_dict())
    assert again.config == TINY
    points = torch.rand(2, 3, 3)
    codes = family.new_codes(2)
    assert torch.equal(family.field(codes)(points).channels, again.field(codes)(points).channels)


def test_octrees_are_a_family_too(octrees):
    family = octrees.new_shared().family
    stored = json.loads(json.dumps(family_config(family)))
    assert stored["family"] == "octree" and stored["first"] == 2
    again = family_from_config(stored)
    again.load_state_dict(family.state_dict())
    codes, points = octrees.plain_codes(octrees.ball()), torch.rand(1, 9, 3)
    assert torch.equal(family.field(codes)(points).density, again.field(codes)(points).density)
    with pytest.raises(ConfigError, match="family 'octree' has no setting 'depth'"):
        family_from_config({**stored, "depth": 3})


@pytest.mark.parametrize("name", ["fused-planes", "octree", "tensorf"])
def test_families_say_what_shared_parts_ask(name, octrees, tensors):
    """What they say of themselves fits together: guides have as many cells as hulls, levels as many as layers."""
    planes = replace(TINY, space="rgb", hull=6)
    if name == "octree":
        family, codes = octrees.new_shared().family, octrees.plain_codes(octrees.ball())
    elif name == "tensorf":
        family = tensors.new_shared().family
        codes = tensors.random_codes(family)
    else:
        family = FusedPlanes(planes)
        codes = family.new_codes(1)
    config, bounds = family.config, torch.tensor(octrees.BOUNDS)[None]
    assert config.space == "rgb" and config.channels == 3
    assert list(config.coarse_levels) == list(range(1, len(config.layers)))
    assert family.hull(codes, bounds, len(config.layers)).shape == (1, *[config.guide_side] * 3)
    assert family.field(codes, 1, bounds)(torch.zeros(1, 1, 3)).channels.shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "grid"}, "family 'grid' is not known here: known are fused-planes, octree, tensorf"),
        ({"family": None}, "family None is not known here"),
        ({"depth": 3}, "has no setting 'depth'"),
        ({"hidden": "many"}, "settings of the wrong kind"),
        ({"resolution": None}, "settings of the wrong kind"),
        ({"hidden": -1}, "must be above 0"),
        ({"channels": 10**12}, "settings of the wrong kind"),
        ({"space": "cmyk"}, "space 'cmyk'"),
    ],
)
def test_a_config_that_is_not_known_is_a_config_error(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        family_from_config({**family_config(FusedPlanes(TINY)), **change})
    assert "\n" not in str(caught.value)


def test_rows_say_what_is_shown_otherwise_than_by_rays_and_what_streams():
    cameras = orbit(2, width=6, height=6)
    for row in FAMILIES.values():
        assert (row.stream is not None) == (row.name == "octree")
        if row.name != "mixture":
            assert row.pictures(row.network) is None
    sizes = {"hidden_layers": 1, "width": 4, "bases": 2, "latent": 3}
    shown = FAMILIES["mixture"].pictures
    assert shown(MixtureFamily(MixtureConfig("scenes", **sizes))) is None
    voxels = MixtureFamily(MixtureConfig("voxels", **sizes))
    seen = shown(voxels)
    assert seen is not None and seen(voxels.new_codes(1), cameras).shape == (2, 6, 6, 3)
