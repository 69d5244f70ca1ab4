"""Settings survive JSON, and what has no meaning is named."""

import json

import pytest

from manyfields.errors import ConfigError
from manyfields.families.octree.settings import OctreeSettings
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.runs.settings import chosen_settings, presets, settings_from, settings_from_json, settings_to_json


@pytest.mark.parametrize("name", presets())
def test_every_preset_survives_json(name):
    settings = presets()[name]
    assert settings.preset == name
    assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings


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
        ({"sead": 3}, "no setting is called 'sead'; there are .*seed"),
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


def code_bytes(name: str, stage1_objects: int) -> dict[str, int]:
    settings = presets()[name]
    shapes = settings.family(stage1_objects, 3 if settings.space == "rgb" else 16).code_shapes()
    sizes = {}
    for tensor, shape in shapes.items():
        sizes[tensor] = 4
        for side in shape:
            sizes[tensor] *= side
    return sizes


@pytest.mark.parametrize(
    ("name", "micro", "weights"),
    [
        ("fused-planes", 491_520, 200),
        ("tri-planes", 1_572_864, None),
        ("micro-only", 1_572_864, None),
        ("macro-only", None, 200),
        ("m1", 491_520, 4),
        ("m75", 491_520, 300),
    ],
)
def test_codes_have_the_sizes_of_the_paper(name, micro, weights):
    """In float32, for 500 objects in stage 1 (Fused-Planes, ICLR 2026)."""
    sizes = code_bytes(name, 500)
    assert sizes.get("micro") == micro and sizes.get("weights") == weights


@pytest.mark.parametrize(("objects", "planes"), [(1, 1), (7, 1), (24, 6), (199, 49), (500, 50)])
def test_base_planes_are_too_few_to_memorise_objects(objects, planes):
    assert presets()["fused-planes"].family(objects, 3).base_planes == planes


@pytest.mark.parametrize("name", [name for name in presets() if name != "latent"])
def test_rgb_presets_train_nothing_that_needs_latents(name):
    settings = presets()[name]
    for phase in (*settings.stage1, *settings.stage2):
        assert not (phase.latent or phase.autoencoder or phase.encoder_rate or phase.decoder_rate) and phase.rgb


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


def test_settings_of_octrees_are_changed_one_by_one():
    settings = chosen_settings(None, {"octree": {"last": 7, "hidden": 64}}, {"octree": {"bits": 4}}, "octree")
    assert settings.octree == OctreeSettings(last=7, hidden=64, bits=4)
    assert settings_from("octree-vq", {"octree": {"entropy": 0.01}}).octree == OctreeSettings(bits=6, entropy=0.01)
    config = settings.octree.family()
    assert (config.first, config.last, config.features, config.hidden) == (5, 7, 16, 64)


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("fused-planes", {"bits": 6}, "settings.octree: the preset 'fused-planes' has no octrees; use preset 'octree'"),
        ("octree", {"bits": 11}, "octree.bits 11: an index takes from 1 to 10"),
        ("octree", {"bits": 4, "gumbel": -1.0}, "octree.gumbel -1.0: a number not below 0"),
        ("octree", {"finer_rate": 0.0}, "octree.finer_rate 0.0: above 0, and at most 1"),
        ("octree", {"gumbel": 0.5}, "octree.gumbel 0.5: 0 without bits"),
        ("octree", {"bits": "6"}, "'6' is not a whole number or null"),
        ("octree", {"entropy": 0.1}, "octree.entropy 0.1: 0 without bits"),
        ("octree", {"last": 4}, "levels 5 to 4"),
        ("octree", {"entropy": "much"}, "'much' is not a number"),
        ("octree", {"depth": 8}, "settings.octree: no setting is called 'depth'"),
    ],
)
def test_settings_of_octrees_without_meaning(preset, changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        settings_from(preset, {"octree": changes})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("planes", "groups"), [(1, 22), (3, 22), (6, 11), (12, 2), (50, 1), (75, 1)])
def test_layer_0_keeps_within_about_a_hundred_bytes(planes, groups):
    settings = settings_from("fused-planes", {"base_planes": planes})
    assert settings.family(500, 3).weight_groups == groups
    assert settings_from("fused-planes", {"weight_groups": 1}).family(24, 3).weight_groups == 1


def test_an_autoencoder_for_a_family_that_has_none():
    with pytest.raises(ConfigError, match="'fused-planes' renders RGB and has none; use preset 'latent'"):
        chosen_settings(None, {}, {"autoencoder": "taesd"})
    assert chosen_settings("latent", {}, {"autoencoder": "taesd"}).autoencoder == "taesd"


@pytest.mark.parametrize("preset", ["mixture-images", "mixture-voxels"])
def test_rates_follow_the_way_of_adaptation(preset):
    """Principal vectors bear what random ones would not; what a user says himself stands."""
    principal, meta = (settings_from(preset, {"signals": {"adaptation": way}}) for way in ("principal", "meta"))
    assert principal.stage1[0].base_rate > meta.stage1[0].base_rate
    assert principal.signals.start_spread > meta.signals.start_spread
    assert principal.stage1[0].epochs == meta.stage1[0].epochs and principal.mixture == meta.mixture
    own = settings_from(preset, {"signals": {"adaptation": "meta", "start_spread": 0.3}})
    assert own.signals.start_spread == 0.3 and own.stage1 == meta.stage1
    assert settings_from_json(settings_to_json(principal)) == principal
    paper = settings_from(f"{preset}-paper", {"signals": {"adaptation": "principal"}})
    assert paper.stage1 == presets()[f"{preset}-paper"].stage1
