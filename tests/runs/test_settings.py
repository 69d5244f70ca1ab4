"""Settings survive JSON, and what has no meaning is named."""

import json
from dataclasses import fields

import pytest

from manyfields.errors import ConfigError
from manyfields.families.registry import FAMILIES, presets, row_of
from manyfields.fitting.phases import Phase
from manyfields.fitting.settings import FitSettings
from manyfields.rendering import Sampler
from manyfields.runs.settings import chosen_settings, settings_from, settings_from_json, settings_to_json


@pytest.mark.parametrize("name", presets())
def test_every_preset_survives_json(name):
    settings = presets()[name]
    assert settings.preset == name
    assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings


def test_the_first_preset_of_each_kind_of_settings_has_its_name():
    firsts = {type(settings): name for name, settings in reversed(presets().items())}
    assert {kind.family: name for kind, name in firsts.items()} == {kind.family: kind.family for kind in firsts}
    for name, settings in presets().items():
        row = row_of(settings)
        assert isinstance(settings, row.settings) and name in row.presets
        assert isinstance(settings.config(), row.config)
        assert bool(settings.code_shapes(8)) == (row.shares == "set")
        assert settings.stage1_size(3) == 3 or row.shares == "set"
    assert list(FAMILIES) == list(dict.fromkeys(row_of(settings).name for settings in presets().values()))


def test_families_list_settings_of_their_own_alone():
    """What is not in the base is that of one family, or means the same in several."""
    base = {each.name for each in fields(FitSettings)}
    own = {row.name: {e.name for s in row.presets.values() for e in fields(s)} - base for row in FAMILIES.values()}
    assert not {"bits", "side", "scene", "waveform", "bases"} & own["fused-planes"]
    shared = {"stage1_objects", "policy", "start", "density_gain"}
    assert shared == own["fused-planes"] & own["mixture"]
    for name in ("octree", "tensorf", "factor-fields"):
        assert not {"stage1_objects", "policy", "start", "space", "autoencoder"} & own[name]


def test_changes_win_and_parts_become_what_they_are():
    changes = {
        "seed": 5,
        "sampler": {"stratified": 3, "importance": 0},
        "stage2": [{"name": "a", "rgb": 1, "steps": 2}],
    }
    settings = settings_from("m25", changes)
    assert (settings.seed, settings.base_planes, settings.sampler) == (5, 25, Sampler(3, 0))
    assert settings.stage2 == (Phase("a", 2, rgb=1.0),) and settings.stage1 == presets()["m25"].stage1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sead": 3}, "fused-planes: no setting is called 'sead'; there are .*seed"),
        ({"stage1": [{"name": "a", "rgb": 1.0, "rate": 2}]}, r"settings\.stage1: no setting is called 'rate'"),
        ({"stage1": [{"rgb": 1.0}]}, r"settings\.stage1: .*name"),
        ({"stage1": [3]}, r"settings\.stage1: 3 must be"),
        ({"stage1": []}, "stage1 and stage2 need at least one phase"),
        ({"stage1": "joint"}, "not a list of phases"),
        ({"stage1": [{"name": "a", "rgb": 1.0, "steps": "9"}]}, r"settings\.stage1\.steps: '9' is not a whole number"),
        ({"stage1": [{"name": "a"}]}, "phase 'a' has no loss"),
        ({"sampler": 3}, r"settings\.sampler: 3 must be"),
        ({"sampler": {"stratified": 1}}, "at least 2"),
        ({"sampler": {"supersampling": 0}}, "supersampling must be above 0"),
        ({"space": "latent"}, "hull: a latent pixel sees beyond the silhouette; set hull to 0"),
        ({"hull": 300}, "hull 300: from 0 to 256"),
        ({"policy": "both"}, "'both' is not one of joint, frozen"),
        ({"space": "hsv"}, "'hsv' is not one of latent, rgb"),
        ({"resolution": 3.5}, "3.5 is not a whole number"),
        ({"seed": True}, "True is not a whole number"),
        ({"held_out": 1.5}, "held_out 1.5: a share"),
        ({"held_out": float("nan")}, "nan is not a number"),
        ({"wave": 0}, "wave 0: at least 1"),
        ({"stage1_objects": 0}, "stage1_objects 0: at least 1"),
        ({"base_planes": "many"}, "'many' is not a whole number or null"),
    ],
)
def test_settings_without_meaning(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        settings_from("fused-planes", changes)
    assert "\n" not in str(caught.value)


def test_unknown_preset_lists_those_there_are():
    with pytest.raises(ConfigError, match="preset 'fused': one of fused-planes, latent, tri-planes"):
        settings_from("fused", {})


def test_a_config_file_may_name_its_preset():
    assert chosen_settings(None, {"preset": "tri-planes"}, {}) == presets()["tri-planes"]
    assert chosen_settings("tri-planes", {"preset": "tri-planes"}, {"seed": 3}).seed == 3
    assert chosen_settings(None, {}, {}) == presets()["fused-planes"]
    with pytest.raises(ConfigError, match="is for preset 'latent', not 'm1'"):
        chosen_settings("m1", {"preset": "latent"}, {})


def test_a_family_chooses_its_first_preset():
    assert chosen_settings(None, {}, {}, "octree") == presets()["octree"]
    assert chosen_settings(None, {}, {}, "fused-planes") == presets()["fused-planes"]
    assert chosen_settings("octree-vq", {}, {}, "octree") == presets()["octree-vq"]
    with pytest.raises(ConfigError, match="preset 'm1' is one of the family 'fused-planes', not 'octree'"):
        chosen_settings("m1", {}, {}, "octree")
