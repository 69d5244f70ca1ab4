"""When a phase brings nothing more: by means of looks, never by one of them; and what is then left of it."""

import pytest

from manyfields.fitting.phases import Phase
from manyfields.fitting.plateaus import PATIENCE, TAIL, brings_nothing, ended


@pytest.mark.parametrize(
    ("looks", "nothing"),
    [
        ([], False),
        ([30.0] * (2 * PATIENCE - 1), False),  # too few
        ([30.0] * (2 * PATIENCE), True),
        ([33.0, 33.0, 33.0, 32.0, 32.1, 32.0], True),  # it falls
        ([30.0, 30.5, 31.0, 31.4, 31.7, 31.9], False),
        ([30.0, 30.5, 31.0, 31.4, 31.7, 29.5], False),  # one bad look
        ([25.0, 28.0, 30.0, 30.01, 30.0, 30.01, 30.01, 30.02, 30.0], True),  # once it has risen
        ([30.0, 30.0, 30.0, 30.3, 30.0, 30.0], False),
    ],
)
def test_what_brings_nothing_more(looks, nothing):
    assert brings_nothing(looks) is nothing


def test_rates_of_an_ended_phase_go_on_from_where_they_are_to_their_end():
    phase = Phase("micro", 1000, rgb=1.0, final_rate=0.05)
    short = ended(phase, 400)
    assert short.steps == 400 + TAIL * 1000
    factors = [short.rate_factor(step) for step in range(400, short.steps)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] < phase.rate_factor(399) and factors[-1] == pytest.approx(0.05, rel=0.02)


def test_a_phase_never_gets_longer_by_ending():
    assert ended(Phase("micro", 1000, rgb=1.0), 970).steps == 1000
    assert ended(Phase("micro", 3, rgb=1.0), 1).steps == 2
