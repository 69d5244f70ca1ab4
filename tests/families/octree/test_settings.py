"""Settings of octrees: features, or indices into codebooks."""

from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.families.octree.settings import PRESETS, OctreeSettings
from manyfields.runs.settings import chosen_settings, settings_from


def test_settings_of_octrees_are_changed_one_by_one():
    settings = chosen_settings(None, {"last": 7, "hidden": 64}, {"bits": 4}, "octree")
    assert settings == replace(PRESETS["octree-vq"], last=7, hidden=64, bits=4)
    assert settings == chosen_settings(None, {"octree": {"last": 7, "hidden": 64}}, {"octree": {"bits": 4}}, "octree")
    assert settings_from("octree-vq", {"entropy": 0.01}) == replace(PRESETS["octree-vq"], entropy=0.01)
    assert settings_from("octree", {}) == OctreeSettings()
    config = settings.config()
    assert (config.first, config.last, config.features, config.hidden) == (5, 7, 16, 64)


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("fused-planes", {"bits": 6}, "settings: fused-planes: no setting is called 'bits'"),
        ("octree", {"bits": 11}, "bits 11: an index takes from 1 to 10"),
        ("octree", {"bits": 4, "gumbel": -1.0}, "gumbel -1.0: a number not below 0"),
        ("octree", {"finer_rate": 0.0}, "finer_rate 0.0: above 0, and at most 1"),
        ("octree", {"gumbel": 0.5}, "gumbel 0.5: 0 without bits"),
        ("octree", {"bits": "6"}, "'6' is not a whole number or null"),
        ("octree", {"entropy": 0.1}, "entropy 0.1: 0 without bits"),
        ("octree", {"last": 4}, "levels 5 to 4"),
        ("octree", {"entropy": "much"}, "'much' is not a number"),
        ("octree", {"depth": 8}, "octree: no setting is called 'depth'"),
    ],
)
def test_settings_of_octrees_without_meaning(preset, changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        settings_from(preset, changes)
    assert "\n" not in str(caught.value)
