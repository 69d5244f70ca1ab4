import json

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.fields import FusedPlanes, FusedPlanesConfig, family_config, family_from_config

TINY = FusedPlanesConfig(micro_features=2, macro_features=3, base_planes=4, resolution=5, hidden=6, channels=3)


def test_a_family_is_rebuilt_from_its_config_and_state():
    family = FusedPlanes(TINY)
    again = family_from_config(json.loads(json.dumps(family_config(family))))
    again.load_state_dict(family.state_dict())
    assert again.config == TINY
    points = torch.rand(2, 3, 3)
    codes = family.new_codes(2)
    assert torch.equal(family.field(codes)(points).channels, again.field(codes)(points).channels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "octree"}, "family 'octree' is not known here"),
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
