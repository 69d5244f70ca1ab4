"""What a fit takes besides its steps, measured on the fitter of a pilot: minutes are for all that a user waits for."""

import time
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch

from manyfields.evaluation.lpips import load_lpips
from manyfields.fitting.fitters import ViewFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.plateaus import CHECKS
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.held_out import render_held_out
from manyfields.runs.sources.looks import held_out_probe, looks_at_once
from manyfields.runs.trainer import PROBES_OF_A_PHASE, Clock

PICTURES_OF_ACCOUNT = 40
"""Pictures that the report's account of costs renders."""


@dataclass(frozen=True)
class Costs:
    """Seconds; 0 where nothing is held out."""

    object: float
    """Of one object and level, before its first picture."""
    view: float
    """To render a held-out view and score it."""
    lpips: float
    """Of a view, for the report."""
    look: float
    """At one view in a fit."""
    levels: int
    """At which an object is measured when it is stored."""

    def measuring(self, views: Iterable[int]) -> float:
        """Of objects with so many held-out views each, when they are stored."""
        return self.levels * sum(self.object + count * self.view for count in views if count)

    def report(self, views: Iterable[int]) -> float:
        """Of the report, which renders all again, whole and coarse, from stored bytes."""
        shown = min(2, self.levels) * self.view + self.lpips
        each = (min(2, self.levels) * self.object + count * shown for count in views if count)
        return sum(each) + PICTURES_OF_ACCOUNT * self.view

    def looks(self, phases: Sequence[Phase], objects: int, size: tuple[int, int]) -> float:
        """Quick looks in some phases of as many objects."""
        counts = (PROBES_OF_A_PHASE + (CHECKS + 1 if phase.stops else 0) for phase in phases if phase.steps)
        return self.look * looks_at_once(objects, size) * sum(counts)


@torch.no_grad()
def costs_of(fitter: ViewFitter, record: RunRecord, clock: Clock = time.monotonic) -> Costs:
    """Measured on the first object of the fitter that has held-out views; each part once to warm up, then once more."""
    size, sampler = record.size, record.settings.final_sampler
    levels = 1 + len(fitter.shared.family.config.coarse_levels)
    row = next((row for row, item in enumerate(fitter.data.objects) if item.test), None)
    if row is None:
        return Costs(0.0, 0.0, 0.0, 0.0, levels)
    # Stored objects are measured on the CPU, wherever they were fitted.
    shared, code, item = deepcopy(fitter.shared).to("cpu"), fitter.codes_of([row]).to("cpu"), fitter.data.objects[row]
    lpips, _ = load_lpips()
    probe = held_out_probe(fitter, sampler, size)
    assert probe is not None
    looked_at = looks_at_once(sum(bool(each.test) for each in fitter.data.objects), size)
    bounds = item.bounds.to("cpu")
    for _ in range(2):
        began = clock()
        shared.occupancy(code, bounds.float()[None])
        guided = clock()
        seen = render_held_out(shared, sampler, code, bounds, item.source, item.test[:1], size)
        seen.scores()
        rendered = clock()
        if lpips is not None:
            seen.scores(lpips)
        compared = clock()
        probe()
        looked = clock()
    view = max(rendered - guided - (guided - began), 0.0)
    judged = max(compared - rendered, 0.0) if lpips is not None else 0.0
    return Costs(guided - began, view, judged, (looked - compared) / looked_at, levels)
