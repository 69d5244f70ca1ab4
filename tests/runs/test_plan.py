"""How many objects a wave takes: by the memory that is free, and recorded."""

import json
import sys

import torch

from manyfields.fitting.data import FittingObject
from manyfields.memory import available_memory
from manyfields.runs import RunRecord, fit, plan


def an_object(views: int) -> FittingObject:
    images = torch.zeros(views, 3, 100, 100, dtype=torch.uint8)
    return FittingObject("a", images, None, torch.zeros(2, 3), None, [], [])  # type: ignore[arg-type]


def test_a_wave_fills_half_of_the_free_memory(monkeypatch):
    shapes = {"micro": (3, 10, 10, 10)}  # 3,000 numbers, each eight times over
    each = 4 * 30_000 + 4 * 8 * 3_000
    for objects in (1, 5, 30):
        monkeypatch.setattr(plan, "available_memory", lambda count=objects: 2 * count * each + 100)
        assert plan.objects_at_once(an_object(4), shapes) == objects
    monkeypatch.setattr(plan, "available_memory", lambda: 10 * each**2)
    assert plan.objects_at_once(an_object(4), shapes) == plan.MOST_AT_ONCE
    monkeypatch.setattr(plan, "available_memory", lambda: 0)
    assert plan.objects_at_once(an_object(4), shapes) == 1


def test_available_memory_is_what_the_system_says():
    assert 10_000_000 < available_memory() < 10**15


def test_the_size_of_waves_is_decided_once(data, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["manyfields.runs.fit"], "objects_at_once", lambda item, shapes: 2)
    run = tmp_path / "run"
    config = tmp_path / "settings.json"
    config.write_text(json.dumps({**json.loads(settings.read_text()), "wave": None}))
    fit(data, run, config=config, report=False)
    assert RunRecord.load(run).settings.wave == 2
