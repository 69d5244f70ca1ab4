"""Settings of mixtures of scenes, images and voxels."""

from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.families.mixture.presets import PRESETS
from manyfields.families.mixture.settings import ImageSettings, VoxelSettings, spread_of
from manyfields.families.registry import presets
from manyfields.runs.settings import settings_from, settings_from_json, settings_to_json


@pytest.mark.parametrize("preset", ["mixture-images", "mixture-voxels"])
def test_rates_follow_the_way_of_adaptation(preset):
    """Principal vectors bear what random ones would not; what a user says himself stands."""
    principal, meta = (settings_from(preset, {"adaptation": way}) for way in ("principal", "meta"))
    assert principal.stage1[0].base_rate > meta.stage1[0].base_rate
    assert principal.start_spread > meta.start_spread
    assert principal.stage1[0].epochs == meta.stage1[0].epochs and principal.bases == meta.bases
    own = settings_from(preset, {"adaptation": "meta", "start_spread": 0.3})
    assert own.start_spread == 0.3 and own.stage1 == meta.stage1
    assert settings_from_json(settings_to_json(principal)) == principal
    paper = settings_from(f"{preset}-paper", {"adaptation": "principal"})
    assert paper.stage1 == presets()[f"{preset}-paper"].stage1


def test_codes_start_close_together_where_inner_steps_set_them_apart():
    paper = PRESETS["mixture-images-paper"].config()
    assert (paper.code_spread, paper.start_spread, paper.signal) == (0.01, 0.01, "images")
    principal = PRESETS["mixture-voxels"].config()
    assert (principal.code_spread, principal.start_spread, principal.signal) == (1.0, 0.1, "voxels")
    kept = settings_from("mixture-images", {"adaptation": "auto-decoding"}).config()
    assert (kept.code_spread, kept.start_spread) == (1.0, spread_of("auto-decoding")) == (1.0, 0.5)


def test_most_instances_learn_what_all_share():
    for kind in (ImageSettings, VoxelSettings):
        assert [kind().stage1_size(count) for count in (1, 10, 100)] == [1, 9, 90]
        assert kind(stage1_objects=4).stage1_size(100) == 4


@pytest.mark.parametrize("change", [{"guide_side": 0}, {"hull": 0}])
def test_principal_starts_need_what_is_seen_of_objects(change):
    with pytest.raises(ConfigError, match="start 'principal' needs hulls and guides: set start to 'average'"):
        replace(PRESETS["mixture"], **change)
    replace(PRESETS["mixture"], start="average", **change)
