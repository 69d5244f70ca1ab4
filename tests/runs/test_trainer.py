"""What a pilot says of the time of a step: of all that a phase becomes, whatever a single step meets."""

import pytest

from manyfields.fitting.phases import Phase
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
