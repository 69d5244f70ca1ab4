"""When a phase brings nothing more, and how it then ends.

A few times in a phase the PSNR of training views that were set aside is looked at. Single looks are noisy, and rates
that are still high hide what decaying them brings. So means of several looks are compared, and a phase that no longer
rises is not cut off: what is left of its schedule is run in a few steps.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from manyfields.fitting.phases import Phase

CHECKS = 16
"""Looks in a phase."""
PATIENCE = 3
"""Looks that a mean is of."""
LEAST_GAIN = 0.02
"""dB from one mean to the next, below which a phase brings nothing more."""
TAIL = 0.1
"""Share of the planned steps in which the rates of such a phase decay to their end."""


def brings_nothing(looks: Sequence[float]) -> bool:
    """Whether the mean of the last looks is not above that of those before; never of a few."""
    before, last = looks[-2 * PATIENCE : -PATIENCE], looks[-PATIENCE:]
    return len(before) == PATIENCE and mean(last) - mean(before) < LEAST_GAIN


def ended(phase: Phase, done: int) -> Phase:
    """The phase with the few steps that are left of it after `done`: rates go on from where they then are."""
    return replace(phase, steps=min(phase.steps, done + max(1, round(TAIL * phase.steps))))
