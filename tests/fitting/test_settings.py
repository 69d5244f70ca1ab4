"""What settings of all families have: bounds, and where fits run."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.registry import presets
from manyfields.fitting.settings import STAGE1_OBJECTS, StagedSettings, device, takes_half


@pytest.mark.parametrize("name", presets())
def test_bounds_hold_for_every_family(name):
    settings = presets()[name]
    for change, message in (
        ({"held_out": 1.0}, "held_out 1.0: a share of the views between 0 and 1"),
        ({"wave": 0}, "wave 0: at least 1 object"),
        ({"stage2": ()}, "stage1 and stage2 need at least one phase each"),
        ({"seed": -1}, "seed: a number of at least 0"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds: a number of at least 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            replace(settings, **change)
    if isinstance(settings, StagedSettings):
        with pytest.raises(ConfigError, match="stage1_objects 0: at least 1"):
            replace(settings, stage1_objects=0)
        assert replace(settings, stage1_objects=7).stage1_size(1000) == 7


def test_stage_1_has_five_hundred_objects():
    assert presets()["fused-planes"].stage1_size(10_000) == STAGE1_OBJECTS == 500
    assert presets()["octree"].stage1_size(10_000) == 10_000


def test_where_fits_run(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    places = {settings.family: device(settings).type for settings in presets().values()}
    assert {name for name, place in places.items() if place == "cpu"} == {"octree", "tensorf", "factor-fields"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device(presets()["fused-planes"]).type == "cpu"


def test_precision_that_is_asked_for():
    settings = presets()["fused-planes"]
    assert takes_half(replace(settings, precision="bf16"), torch.device("cpu"))
    assert not takes_half(replace(settings, precision="float32"), torch.device("cpu"))
