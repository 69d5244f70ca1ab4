"""Settings of runs before families had settings of their own, as they were stored then, and files that people wrote."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfields.errors import ConfigError
from manyfields.families.registry import presets
from manyfields.runs.old_settings import NESTED, flat
from manyfields.runs.settings import chosen_settings, settings_from, settings_from_json, settings_to_json

# Made by the last version with nested settings (5688b36): what a run stored, and what its family was made of.
BEFORE = json.loads((Path(__file__).parent / "settings_of_before.json").read_text())


def plain(values) -> dict:
    """As JSON has it."""
    return json.loads(json.dumps(values))


@pytest.mark.parametrize("name", BEFORE)
def test_records_of_older_runs_say_the_same(name):
    before = BEFORE[name]
    settings = settings_from_json(before["stored"])
    assert plain(asdict(settings.config(24))) == before["config"]
    now = plain(settings_to_json(settings))
    assert {each: now[each] for each in before["own"]} == before["own"]
    # What is not nested, and is heeded, is as it was. (Of factor fields "wave" was both, and one of them was nested.)
    shared = {each for each in now if each in before["stored"] and each not in before["config"] | before["own"]}
    assert {"stage1", "stage2", "sampler", "seed"} <= shared
    for each in shared | {"wave"}:
        assert now[each] == before["stored"][each], each
    assert settings.policy == before["stored"]["policy"] and settings.space == before["stored"]["space"]
    assert settings_from_json(now) == settings


@pytest.mark.parametrize("name", BEFORE)
def test_files_of_the_old_form_give_the_same_settings(name):
    preset, changes = BEFORE[name]["stored"]["preset"], BEFORE[name]["changes"]
    settings = settings_from_json(BEFORE[name]["stored"])
    assert chosen_settings(None, {"preset": preset, **changes}, {}) == settings
    assert chosen_settings(preset, {}, changes) == settings
    assert chosen_settings(None, {"preset": preset}, changes, presets()[preset].family) == settings


def test_what_a_family_does_not_heed_is_left_away():
    old = {"octree": {"last": 7}, "hidden": 32, "space": "latent", "policy": "joint", "stage1_objects": 3}
    assert flat(old, presets()["octree"]) == {"last": 7}
    assert "hidden" in flat({"octree": None, "hidden": 32}, presets()["fused-planes"])


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        (
            "fused-planes",
            {"octree": {"bits": 6}},
            "settings.octree: the preset 'fused-planes' has no octrees; use preset",
        ),
        ("octree", {"tensorf": {"last": 96}}, "settings.tensorf: the preset 'octree' has no tensor fields; use preset"),
        ("tensorf", {"factor": {"coefficients": 9}}, "settings.factor: the preset 'tensorf' has no factor fields"),
        ("tensorf", {"mixture": {"bases": 9}}, "settings.mixture: the preset 'tensorf' has no mixture"),
        ("mixture", {"signals": {"side": 9}}, "settings.signals: the preset 'mixture' has no images or voxels"),
        ("mixture", {"mixture": {"signal": "images"}}, "settings.mixture.signal: the preset 'mixture' is of scenes"),
        ("octree", {"octree": 3}, "settings.octree: 3 must be an object"),
        ("octree", {"octree": {"depth": 8}}, "octree: no setting is called 'depth'"),
        ("octree", {"octree": {"entropy": "much"}}, r"settings\.entropy: 'much' is not a number"),
    ],
)
def test_old_settings_without_meaning_are_named(preset, changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        settings_from(preset, changes)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(sorted(presets())), st.dictionaries(st.sampled_from(["seed", "hull", "wave"]), st.integers()))
def test_settings_of_today_are_as_they_are(preset, values):
    assert flat(values, presets()[preset]) == values
    assert flat({**values, **dict.fromkeys(NESTED)}, presets()[preset]) == values
