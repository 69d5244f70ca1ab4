"""How many steps each phase takes, decided once and recorded, and the forecast that follows from a pilot."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from manyfields.collection.shared_file import shared_tensors
from manyfields.evaluation.forecast import PhasePilot, Pilot, forecast
from manyfields.evaluation.units import format_seconds
from manyfields.families.registry import codec_of, new_fitter, new_shared, row_of
from manyfields.fitting.data import FittingObject
from manyfields.fitting.fitters import StageData, StageFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import device
from manyfields.memory import available_memory
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.source import Source
from manyfields.runs.trainer import Clock, seconds_per_step

SHARE_FOR_FITTING = 0.9
"""Of the minutes asked for, where they are for fitting alone; the rest is for what cannot be foreseen."""
STEPS_OF_A_LONG_RUN = 300
LEAST_SHARE_FOR_STEPS = 0.5
"""Of the minutes asked for, where all that is no step would take more than the rest of them: it is said, then."""
Parts = tuple[tuple[str, float], ...]
"""Names and seconds."""
PILOT_OBJECTS = 2
LEARNING_SHARE = 0.03
"""Of the minutes asked for, and of its steps, for which a pilot of an object that stands alone learns: of a field that
is empty as yet, steps are cheap. After more steps its grids would have grown, and none of the first size be timed."""
MOST_AT_ONCE = 64
"""Objects of a wave: more side by side gain nothing, and a crash loses the wave in flight."""


@dataclass(frozen=True)
class Asked:
    """What a run is planned for, besides its settings."""

    minutes: float | None = None
    whole: bool = True
    """Whether the minutes are for all that a user waits for, or for fitting alone."""
    report: bool = True
    began: float | None = None
    """When the run began, by the clock; None: now."""
    reading: float = 0.0
    """Seconds that reading an object took."""


def plan_steps(
    record: RunRecord,
    source: Source,
    stage1: list[Any],
    asked: Asked,
    progress: Progress,
    clock: Clock = time.monotonic,
) -> str:
    """Set the phases of the record with their steps: the settings' epochs, scaled to the minutes where they are given.

    Returns a forecast in words from a pilot on this machine, or nothing for a short run without a time.
    """
    settings, minutes = record.settings, asked.minutes
    began = clock() if asked.began is None else asked.began
    first = source.data(stage1, device(settings))
    waves = waves_of(record)
    source.plan(record, first)
    if minutes is None and sum(phase.steps for phase in record.phases1 + record.phases2) < STEPS_OF_A_LONG_RUN:
        return ""
    parts = 2 + bool(record.phases2)
    progress("pilot", 0, parts)
    growing = 0.0
    if row_of(settings).shares == "network":
        pilot, each = _pilot_alone(record, source, stage1, clock)
        growing = each * len(stage1)
        _learn_a_little(pilot, record.phases1[0], 60 * LEARNING_SHARE * (minutes or 0.0), clock)
        times = seconds_per_step(lambda: pilot, record.phases1, clock=clock)
    else:
        pilot = _pilot_together(record, stage1, source.data(stage1[:1], device(settings)))
        times = seconds_per_step(lambda: _pilot_together(record, stage1, first), record.phases1, clock=clock)
    if record.phases2:
        progress("pilot", 1, parts)
        drawn = source.data(stage1[: len(waves[0]) if waves else settings.wave], device(settings))
        phases2 = list(record.phases2)
        times += seconds_per_step(
            lambda: source.wave_fitter(settings, new_shared(settings, stage1), drawn, phases2), phases2, clock=clock
        )
    progress("pilot", parts - 1, parts)
    costs = source.costs(pilot, record, clock)
    progress("pilot", parts, parts)
    counts = source.pictures_of(record, record.stage1 + record.stage2)
    drawn2 = len(waves[0]) if waves else 0
    if settings.policy == "joint":
        drawn2 += len(record.stage1)
    looks = costs.looks(record.phases1, len(first), record.size)
    looks += len(waves) * costs.looks(record.phases2, drawn2, record.size)
    before = {
        "reading and pilot": clock() - began,
        settings.preparation: growing,
        "reading the others": asked.reading * len(record.stage2),
    }
    after = {
        "looks at held-out views": looks,
        "storing and measuring": costs.measuring(counts),
        "report": costs.report(counts) if asked.report else 0.0,
    }
    short = ""
    if minutes is not None:
        around = sum(before.values()) + sum(after.values())
        rest = 60 * minutes - around if asked.whole else 60 * minutes * SHARE_FOR_FITTING - growing
        least = 60 * minutes * LEAST_SHARE_FOR_STEPS
        source.fill(record, first, max(rest, least), times)
        record.step_seconds = {"stage1": times[: len(record.phases1)], "stage2": times[len(record.phases1) :]}
        if rest < least:
            short = f" {cannot_hold(minutes, around)}"
    phases = [
        PhasePilot(name, seconds, phase.steps * count)
        for seconds, (name, phase, count) in zip(times, source.schedule(record), strict=True)
    ]
    return _forecast(record, pilot, phases, tuple(before.items()), tuple(after.items())) + short


def _pilot_together(record: RunRecord, stage1: list[Any], data: StageData) -> StageFitter:
    """A fitter of stage 1 as it begins."""
    return new_fitter(record.settings, new_shared(record.settings, stage1), data, average=False)


def _pilot_alone(record: RunRecord, source: Source, objects: list[Any], clock: Clock) -> tuple[StageFitter, float]:
    """A fitter of one of the objects, and the seconds that it takes before its first step."""
    # The last of a few counts: before it, the first may have waited for what is compiled once.
    for item in objects[:: max(1, len(objects) // PILOT_OBJECTS)][:PILOT_OBJECTS]:
        began = clock()
        # A copy: fitters of own fields move the boxes and hulls of what they are given.
        one = [replace(item)]
        fitter = _pilot_together(record, one, source.data(one, device(record.settings)))
        spent = clock() - began
    return fitter, spent


def _learn_a_little(pilot: StageFitter, phase: Phase, seconds: float, clock: Clock) -> None:
    pilot.begin(phase)
    began = clock()
    for index in range(math.ceil(LEARNING_SHARE * phase.steps)):
        if clock() - began >= seconds:
            break
        pilot.step(phase, index)


def objects_at_once(item: FittingObject, shapes: dict[str, tuple[int, ...]]) -> int:
    """How many objects like this one a wave takes: half of the memory that is free, and at most MOST_AT_ONCE.

    An object needs its images, pixels and hull, and its code four times over: itself, two moments, gradients; the
    planes of its field take as much again.
    """
    masks = [mask for mask in (item.hull, item.alpha) if mask is not None]
    held = [item.images, *(item.pixels or ()), *masks]
    seen = sum(tensor.nbytes for tensor in held) + (0 if item.hull is None else 12 * item.hull.numel())
    each = seen + 4 * 8 * sum(math.prod(shape) for shape in shapes.values())
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else available_memory()
    return max(1, min(MOST_AT_ONCE, free // 2 // each))


def waves_of(record: RunRecord) -> list[list[str]]:
    """Objects of stage 2 that are fitted side by side: all at once where they change the shared part together."""
    size = len(record.stage2) if record.settings.policy == "joint" else record.settings.wave
    size = max(1, size or MOST_AT_ONCE)
    return [record.stage2[start : start + size] for start in range(0, len(record.stage2), size)]


def cannot_hold(minutes: float, around: float) -> str:
    """What is said before a run that is going to take longer than it was asked to."""
    return (
        f"{minutes:g} min cannot hold all of that: what is not fitting takes {format_seconds(around)}, and half of the "
        "time is kept for steps. --no-report leaves the report out; views with fewer pixels are measured sooner."
    )


def longer(record: RunRecord, spare: float) -> float:
    """By what the steps of stage 2 are multiplied where stage 1 has left `spare` seconds of what was planned."""
    times, waves = record.step_seconds.get("stage2", []), len(waves_of(record))
    whole = waves * sum(seconds * phase.steps for seconds, phase in zip(times, record.phases2, strict=False))
    return 1.0 + spare / whole if whole else 1.0


def joint_phases(stage2: Sequence[Phase], stage1: Sequence[Phase]) -> tuple[Phase, ...]:
    """Stage 2 of the paper: the shared part is fine-tuned with the codes, at a tenth of its rates of stage 1."""
    before = stage1[-1]
    return tuple(
        replace(
            phase,
            base_rate=before.base_rate / 10,
            fields_rate=before.fields_rate / 10,
            decoder_rate=before.decoder_rate / 10 if phase.rgb else 0.0,
        )
        for phase in stage2
    )


def _forecast(record: RunRecord, pilot: StageFitter, phases: Sequence[PhasePilot], before: Parts, after: Parts) -> str:
    rendering, _ = shared_tensors(pilot.shared)
    return forecast(
        Pilot(
            phases=tuple(phases),
            objects=len(record.stage1) + len(record.stage2),
            shared_bytes=sum(tensor.nbytes for tensor in rendering.values()),
            object_bytes=sum(map(len, codec_of(pilot.shared).encode(pilot.codes_of([0]))[0])),
            before=before,
            after=after,
        )
    ).text
