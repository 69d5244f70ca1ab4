"""How many objects a wave takes: by the memory that is free, and recorded."""

import json
from dataclasses import replace

import pytest
import torch

from manyfields.errors import ViewError
from manyfields.fitting.data import FittingObject
from manyfields.fitting.phases import Phase
from manyfields.memory import available_memory
from manyfields.runs import RunRecord, fit, plan
from manyfields.runs.plan import Asked
from manyfields.runs.settings import chosen_settings, read_config
from manyfields.runs.sources import costs as costs_module
from manyfields.runs.sources import posed_views
from manyfields.runs.sources.costs import Costs, costs_of
from manyfields.runs.sources.loading import load_objects
from manyfields.runs.trainer import PROBES_OF_A_PHASE
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
    monkeypatch.setattr(posed_views, "objects_at_once", lambda item, shapes: 2)
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
    trained = {item.id: {"trained": len(item) - 1, "views": item.names[:1]} for item in views}
    record = RunRecord(settings, [str(data)], (32, 32), views.ids, [], trained)
    return record, load_objects(views.objects, record)


VIEWS = posed_views.PosedViews()


def silent(*told) -> None:
    """Progress that nobody watches."""


@pytest.mark.parametrize(
    ("asked", "each", "steps"),
    [
        # Of the minute, 8 s are gone when it is planned, 4 s are for looks, and 8 s for measuring; 4 s for the report.
        (Asked(1.0, report=False), 0.0, 400),
        (Asked(1.0), 0.0, 360),
        (Asked(1.0), 1.0, 320),
        (Asked(1.0), 100.0, 300),  # half of it is for steps in any case
        (Asked(1.0, whole=False), 5.0, 340),  # where minutes are for fitting alone, nine tenths of them
    ],
)
def test_minutes_are_for_all_that_a_user_waits_for(octrees, monkeypatch, asked, each, steps):
    record, items = octrees
    pilot, _ = plan._pilot_alone(record, VIEWS, items, Ticks())
    monkeypatch.setattr(plan, "_pilot_alone", lambda *given: (pilot, each))
    monkeypatch.setattr(plan, "seconds_per_step", lambda make, phases, clock: [0.1])
    held = [len(each["views"]) for each in record.held_out.values()]
    assert held == [1] * 4
    costs = Costs(object=1.0, view=1.0, lpips=0.0, look=4 / (PROBES_OF_A_PHASE * 4), levels=1)
    monkeypatch.setattr(posed_views.PosedViews, "costs", lambda *given: costs)
    monkeypatch.setattr(costs_module, "PICTURES_OF_ACCOUNT", -4)
    forecast = plan.plan_steps(record, VIEWS, items, replace(asked, began=-8.0), silent, Ticks(1e-9))
    assert record.phases1[0].steps == pytest.approx(steps, abs=1) and "4 objects" in forecast
    assert ("1 min cannot hold all of that" in forecast) == (each == 100.0)
    assert "storing and measuring 8.00 s" in forecast and ("report 4.00 s" in forecast) == asked.report


def test_what_is_not_steps_is_counted_by_objects_views_and_phases():
    costs = Costs(object=0.5, view=0.1, lpips=0.02, look=0.05, levels=3)
    assert costs.measuring([10, 6, 0]) == pytest.approx(3 * (2 * 0.5 + 16 * 0.1))
    # Whole and coarse, and once more for what a picture costs; objects without held-out views are not shown.
    assert costs.report([10, 0]) == pytest.approx(2 * 0.5 + 10 * (2 * 0.1 + 0.02) + 40 * 0.1)
    rays, micro = Phase("rays", 100, rgb=1.0), Phase("micro", 100, rgb=1.0, stops=True)
    assert costs.looks([rays], 20, (128, 128)) == pytest.approx(8 * 4 * 0.05)
    assert costs.looks([rays], 20, (256, 256)) == pytest.approx(8 * 2 * 0.05)  # fewer views where they are large
    assert costs.looks([rays], 3, (2048, 2048)) == pytest.approx(8 * 0.05)
    assert costs.looks([micro], 3, (128, 128)) == pytest.approx((8 + 17) * 3 * 0.05)


def test_costs_are_measured_on_the_second_of_two_turns(octrees):
    record, items = octrees
    pilot, _ = plan._pilot_alone(record, VIEWS, items, Ticks())
    costs = costs_of(pilot, record, Ticks(1.0))
    # From one look at the clock to the next a second has passed: what is left of a view is what its guide did not take.
    assert (costs.object, costs.view, costs.look) == (1.0, 0.0, 1.0) and costs.lpips in (0.0, 1.0)
    pilot.data.objects[0].test = []
    nothing = costs_of(pilot, record, Ticks(1.0))
    assert (nothing.object, nothing.view, nothing.lpips, nothing.look) == (0.0,) * 4


def test_time_that_stage_1_has_left_goes_to_stage_2(octrees):
    record, _ = octrees
    record.stage2, record.settings = ["a", "b", "c"], replace(record.settings, wave=2)
    record.phases2 = [Phase("weights", 100, rgb=1.0), Phase("micro", 200, rgb=1.0)]
    assert plan.longer(record, 10.0) == 1.0  # its steps were not planned by a time
    record.step_seconds = {"stage2": [0.1, 0.05]}
    assert plan.longer(record, 10.0) == pytest.approx(1.0 + 10.0 / (2 * 20.0))


def test_a_pilot_leaves_objects_as_they_are(octrees):
    record, items = octrees
    before = [(item.hull.clone(), item.bounds.clone()) for item in items]
    plan.plan_steps(record, VIEWS, items, Asked(0.01), silent)
    for item, (hull, bounds) in zip(items, before, strict=True):
        assert torch.equal(item.hull, hull) and torch.equal(item.bounds, bounds)


@pytest.mark.parametrize("tick", [1e-6, 1.0])
def test_a_pilot_meets_all_sizes_that_grids_will_have(data, tensor_settings, monkeypatch, tick):
    """However fast it learns before it is timed."""
    settings = chosen_settings(None, read_config(tensor_settings), {"tensorf": {"first": 12, "upsample_at": (0.3,)}})
    views = read_views(data)
    trained = {item.id: {"trained": len(item) - 1, "views": item.names[:1]} for item in views}
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
    plan.plan_steps(record, VIEWS, load_objects(views.objects, record), Asked(0.01), silent, Ticks(tick))
    assert seen[0] < seen[-1]


def test_a_pilot_of_own_fields_learns_before_it_is_timed(octrees, monkeypatch):
    """Of a field that is empty as yet, steps are cheap."""
    record, items = octrees
    pilot, each = plan._pilot_alone(record, VIEWS, items, Ticks())
    monkeypatch.setattr(plan, "_pilot_alone", lambda *given: (pilot, each))
    taken, known = pilot.step, []
    monkeypatch.setattr(pilot, "step", lambda phase, index: known.append((phase.steps, index)) or taken(phase, index))
    plan.plan_steps(record, VIEWS, items, Asked(0.2, whole=False), silent, Ticks())
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
