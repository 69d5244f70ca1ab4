"""How many objects a wave takes: by the memory that is free, and recorded."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from manyfields.errors import ConfigError, ViewError
from manyfields.fitting.data import FittingObject
from manyfields.memory import available_memory
from manyfields.runs import RunRecord, fit, plan
from manyfields.runs.loading import load_objects
from manyfields.runs.settings import chosen_settings, read_config
from manyfields.views import read_views


def an_object(views: int) -> FittingObject:
    images = torch.zeros(views, 3, 100, 100, dtype=torch.uint8)
    return FittingObject("a", images, None, torch.zeros(2, 3), None, [], [])  # type: ignore[arg-type]


class Ticks:
    """A clock that moves on by so much whenever it is looked at."""

    def __init__(self, tick: float = 0.01) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


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


@pytest.fixture
def octrees(data, octree_settings):
    """A record of four octree objects, and these as they are read."""
    settings = chosen_settings(None, read_config(octree_settings), {}, "octree")
    views = read_views(data)
    trained = {item.id: {"trained": len(item) - 1} for item in views}
    record = RunRecord(settings, [str(data)], (32, 32), views.ids, [], trained)
    return record, load_objects(views.objects, record)


@pytest.mark.parametrize(("each", "steps"), [(0.0, 540), (5.0, 340), (100.0, 60)])
def test_minutes_hold_what_comes_before_the_first_step(octrees, monkeypatch, each, steps):
    record, items = octrees
    pilot, _ = plan._pilot_alone(record, items, Ticks())
    monkeypatch.setattr(plan, "_pilot_alone", lambda *given: (pilot, each))
    monkeypatch.setattr(plan, "seconds_per_step", lambda make, phases, clock: [0.1])
    forecast = plan.plan_steps(record, items, 1.0, lambda *told: None)
    # 54 s of the minute are for fitting; a tenth of it for steps in any case.
    assert record.phases1[0].steps == steps and "4 objects" in forecast


def test_a_pilot_leaves_objects_as_they_are(octrees):
    record, items = octrees
    before = [(item.hull.clone(), item.bounds.clone()) for item in items]
    plan.plan_steps(record, items, 0.01, lambda *told: None)
    for item, (hull, bounds) in zip(items, before, strict=True):
        assert torch.equal(item.hull, hull) and torch.equal(item.bounds, bounds)


@pytest.mark.parametrize("tick", [1e-6, 1.0])
def test_a_pilot_meets_all_sizes_that_grids_will_have(data, tensor_settings, monkeypatch, tick):
    """However fast it learns before it is timed."""
    settings = chosen_settings(None, read_config(tensor_settings), {"tensorf": {"first": 12, "upsample_at": (0.3,)}})
    views = read_views(data)
    trained = {item.id: {"trained": len(item) - 1} for item in views}
    record, seen = RunRecord(settings, [str(data)], (32, 32), views.ids, [], trained), []

    def timed(make, phases, steps=12, clock=None):
        fitter = make()
        for phase in phases:
            fitter.begin(phase)
            for index in range(steps):
                fitter.step(replace(phase, steps=steps), index)
                seen.append(sum(tensor.numel() for tensor in fitter.scenes[0].grids.tensors))
        return [0.1 for _ in phases]

    monkeypatch.setattr(plan, "seconds_per_step", timed)
    plan.plan_steps(record, load_objects(views.objects, record), 0.01, lambda *told: None, Ticks(tick))
    assert seen[0] < seen[-1]


def test_a_pilot_of_own_fields_learns_before_it_is_timed(octrees, monkeypatch):
    """Of a field that is empty as yet, steps are cheap."""
    record, items = octrees
    pilot, each = plan._pilot_alone(record, items, Ticks())
    monkeypatch.setattr(plan, "_pilot_alone", lambda *given: (pilot, each))
    taken, known = pilot.step, []
    monkeypatch.setattr(pilot, "step", lambda phase, index: known.append((phase.steps, index)) or taken(phase, index))
    plan.plan_steps(record, items, 0.2, lambda *told: None, Ticks())
    counts = [steps for steps, _ in known]
    learned = counts.index(12)
    assert learned >= 1 and set(counts[:learned]) == {6}, "the steps that its settings plan"
    assert [index for _, index in known[learned:]] == [0, 0, *range(12)]


def test_some_objects_of_a_folder(data, rgb_settings, tmp_path, monkeypatch):
    names = ("box_tall", "ball_red")
    collection = fit(data, tmp_path / "run", config=rgb_settings, objects=names, report=False)
    record = RunRecord.load(tmp_path / "run")
    assert collection.ids == sorted(names) == sorted(record.held_out)
    assert fit(data, tmp_path / "run", resume=True, report=False).ids == sorted(names)
    with pytest.raises(ViewError, match="has no object 'x'; it has ball_blue, "):
        fit(data, tmp_path / "other", config=rgb_settings, objects=("ball_red", "x"))
    with pytest.raises(ConfigError, match="objects: they can be named in folders of views alone"):
        fit(data, tmp_path / "other", family="mixture-images", objects=("a",))
