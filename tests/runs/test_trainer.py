"""Phases that end where they bring nothing more; and what a pilot says of the time of a step: of all that a phase
becomes, whatever a single step meets."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from manyfields.fitting.phases import Phase
from manyfields.fitting.set_fitter import SetFitter
from manyfields.rendering import Sampler
from manyfields.runs import trainer


class Priced:
    """A fitter whose steps take as long as a ray has samples, on a clock of its own; some are interrupted."""

    def __init__(self, interrupted=()):
        self.now, self.steps, self.interrupted = 0.0, [], interrupted

    def begin(self, phase):
        self.began = phase

    def step(self, phase, index):
        assert phase == self.began
        self.now += Sampler(guided=12).at(index / phase.steps).guided
        self.now += 1000.0 if len(self.steps) in self.interrupted else 0.0
        self.steps.append(index)


@pytest.mark.parametrize("interrupted", [(), (0, 1), (4,), (3, 6, 9, 12)])
def test_a_step_takes_the_mean_of_all_that_a_phase_becomes(interrupted):
    fitter = Priced(interrupted)
    phase = Phase("rays", rgb=1.0, steps=9000)
    whole = sum(Sampler(guided=12).at(index / phase.steps).guided for index in range(phase.steps)) / phase.steps
    assert trainer.seconds_per_step(lambda: fitter, [phase], clock=lambda: fitter.now) == [pytest.approx(whole)]
    assert whole == pytest.approx((4 + 8 + 12 + 12) / 4, rel=0.01)


def test_each_phase_has_a_time_of_its_own(monkeypatch):
    fitter = Priced()
    monkeypatch.setattr(fitter, "step", lambda phase, index: setattr(fitter, "now", fitter.now + phase.rgb))
    phases = [Phase("one", rgb=1.0, steps=3), Phase("two", rgb=5.0, steps=300)]
    assert trainer.seconds_per_step(lambda: fitter, phases, clock=lambda: fitter.now) == [1.0, 5.0]


class Watched:
    """A fitter whose quality is a function of the steps it has taken; it forgets nothing that `load` does not undo."""

    def __init__(self, quality):
        self.quality, self.taken, self.phases = quality, 0, []
        self.data = SimpleNamespace(objects=[SimpleNamespace(id="a")])

    def begin(self, phase):
        self.phases.append(phase)

    def step(self, phase, index):
        self.taken += 1
        self.last = (phase.steps, index)
        return {"rgb": 1.0}

    run = SetFitter.run

    def state(self):
        return {"taken": torch.tensor(self.taken)}

    def load_shared(self, tensors):
        self.taken = int(tensors["taken"])

    def load(self, tensors, optimizer=True):
        self.taken = int(tensors["taken"])

    def watch(self):
        return self.quality(self.taken)


def rises(until: int):
    """A decibel a hundred steps, and nothing from then on."""
    return lambda taken: 30.0 + min(taken, until) / 100


MICRO = Phase("micro", steps=1600, rgb=1.0, stops=True)


def trained(fitter, folder, phases=(MICRO,), **given):
    said = []
    every = given.pop("every_seconds", 1e9)
    path = folder / "checkpoints" / "stage.safetensors"
    made = trainer.StageTrainer("s", fitter, phases, path, every, watch=fitter.watch, say=said.append, **given)
    made.run()
    return made, said


def test_a_phase_that_brings_nothing_more_ends(tmp_path):
    fitter = Watched(rises(until=500))
    _, said = trained(fitter, tmp_path)
    # Looks are a hundred steps apart; from 500 on nothing comes, and three looks and three before say so at 1,000.
    assert fitter.taken == 1160 and fitter.last == (1160, 1159)
    assert said == ["s: micro brought nothing more and ended after 1,160 of 1,600 steps"]


@pytest.mark.parametrize(
    ("phase", "quality"), [(MICRO, rises(until=1600)), (replace(MICRO, stops=False), rises(until=0))]
)
def test_other_phases_take_all_their_steps(tmp_path, phase, quality):
    fitter = Watched(quality)
    made, said = trained(fitter, tmp_path, (phase,))
    assert fitter.taken == 1600 and said == [] and made.spare == 0.0


def test_without_views_that_are_set_aside_no_phase_stops(tmp_path):
    fitter = Watched(rises(until=0))
    trainer.StageTrainer("s", fitter, [MICRO], tmp_path / "checkpoints" / "s.safetensors").run()
    assert fitter.taken == 1600


def test_a_phase_that_makes_it_worse_is_undone(tmp_path):
    fitter = Watched(lambda taken: 33.0 - max(0, taken - 100) / 1000)
    phases = [replace(MICRO, name="rays", steps=100, stops=False), MICRO]
    made, said = trained(fitter, tmp_path, phases, probe=lambda: {"held_out_psnr": fitter.watch()})
    assert fitter.taken == 100 and fitter.watch() == 33.0
    assert said[-1] == "s: micro left views that were set aside worse than it found them, and is undone"
    assert made.curves[-1]["held_out_psnr"] == 33.0 and made.curves[-2]["held_out_psnr"] < 33.0
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["stage.safetensors"]


def test_the_time_that_a_phase_leaves_goes_to_the_next(tmp_path):
    fitter = Watched(rises(until=500))
    phases = [MICRO, replace(MICRO, name="next", steps=100, stops=False)]
    made, _ = trained(fitter, tmp_path, phases, step_seconds=[0.5, 0.25])
    assert fitter.taken == 1160 + 100 + 2 * (1600 - 1160) and made.spare == 0.0
    alone, _ = trained(Watched(rises(until=500)), tmp_path / "alone", step_seconds=[0.5])
    assert alone.spare == 0.5 * (1600 - 1160)


def test_a_stage_that_dies_again_and_again_ends_alike(tmp_path):
    class Killed(Exception):
        pass

    def once(phase, done, total, **_):
        once.calls += 1
        if once.calls % 45 == 0:
            raise Killed

    phases = [replace(MICRO, steps=160), replace(MICRO, name="next", steps=10)]
    given = {"step_seconds": [0.5, 0.25], "every_seconds": -1.0}
    whole = Watched(rises(until=50))
    made, _ = trained(whole, tmp_path / "whole", phases, **given)
    once.calls = 0
    for _ in range(30):
        again = Watched(rises(until=50))
        try:
            broken, _ = trained(again, tmp_path / "b", phases, progress=once, **given)
            break
        except Killed:
            continue
    assert once.calls > 90 and again.taken == whole.taken
    assert [(p["phase"], p["step"]) for p in broken.curves] == [(p["phase"], p["step"]) for p in made.curves]
