"""How many steps each phase takes, decided once and recorded, and the forecast that follows from a pilot."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from manyfields.collection.objects import codec_of, shared_tensors
from manyfields.evaluation.forecast import PhasePilot, Pilot, forecast
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.phases import Phase
from manyfields.memory import available_memory
from manyfields.runs.building import device, new_fitter, new_shared, new_single_fitter
from manyfields.runs.record import RunRecord
from manyfields.runs.trainer import Clock, Progress, StageFitter, seconds_per_step

SHARE_FOR_FITTING = 0.9
"""Of the minutes asked for; the rest goes to storing and measuring."""
STEPS_OF_A_LONG_RUN = 300
LEAST_SHARE_FOR_STEPS = 0.1
"""Of the minutes asked for, where what comes before the first step would take them all."""
PILOT_OBJECTS = 2
LEARNING_SHARE = 0.03
"""Of the minutes asked for, and of its steps, for which a pilot of an object that stands alone learns: of a field that
is empty as yet, steps are cheap. After more steps its grids would have grown, and none of the first size be timed."""
MOST_AT_ONCE = 64
"""Objects of a wave: more side by side gain nothing, and a crash loses the wave in flight."""


def plan_steps(
    record: RunRecord,
    stage1: list[FittingObject],
    minutes: float | None,
    progress: Progress,
    clock: Clock = time.monotonic,
) -> str:
    """Set the phases of the record with their steps: the settings' epochs, scaled to `minutes` where they are given.

    Returns a forecast in words from a pilot on this machine, or nothing for a short run without a time.
    """
    settings = record.settings
    first = FittingData(stage1, device(record.settings))
    waves = waves_of(record)
    drawn2 = waves[0] if waves else []
    if settings.policy == "joint":
        drawn2 = record.stage1 + drawn2
    views2 = [record.held_out[name]["trained"] for name in drawn2]

    def plan(factor: float) -> None:
        record.phases1 = [phase.planned(len(first), first.views, factor) for phase in settings.stage1]
        if waves:
            phases = settings.stage2 if settings.policy == "frozen" else _joint(settings.stage2, settings.stage1)
            record.phases2 = [phase.planned(len(views2), sum(views2), factor) for phase in phases]

    plan(1.0)
    if minutes is None and sum(phase.steps for phase in record.phases1 + record.phases2) < STEPS_OF_A_LONG_RUN:
        return ""
    progress("pilot", 0, 1)
    before = 0.0
    if settings.alone:
        pilot, each = _pilot_alone(record, stage1, clock)
        before = each * len(stage1)
        _learn_a_little(pilot, record.phases1[0], 60 * LEARNING_SHARE * (minutes or 0.0), clock)
        times = seconds_per_step(lambda: pilot, record.phases1, clock=clock)
    else:
        pilot = _pilot_together(record, stage1, FittingData(stage1[:1], device(settings)))
        times = seconds_per_step(lambda: _pilot_together(record, stage1, first), record.phases1, clock=clock)
    if waves:
        drawn = FittingData(stage1[: len(waves[0])], device(record.settings))
        times += seconds_per_step(
            lambda: new_fitter(record, new_shared(settings, stage1), drawn, average=True), record.phases2, clock=clock
        )
    progress("pilot", 1, 1)
    if minutes is not None:
        steps = max(60 * minutes * SHARE_FOR_FITTING - before, 60 * minutes * LEAST_SHARE_FOR_STEPS)
        plan(steps / _total(times, record, len(waves)))
    around = 0.0 if minutes is None else 60 * minutes * (1 - SHARE_FOR_FITTING)
    return _forecast(record, pilot, times, len(waves), before + around)


def _pilot_together(record: RunRecord, stage1: list[FittingObject], data: FittingData) -> StageFitter:
    """A fitter of stage 1 as it begins."""
    return new_fitter(record, new_shared(record.settings, stage1), data, average=False)


def _pilot_alone(record: RunRecord, objects: list[FittingObject], clock: Clock) -> tuple[StageFitter, float]:
    """A fitter of one of the objects, and the seconds that it takes before its first step."""
    # The last of a few counts: before it, the first may have waited for what is compiled once.
    for item in objects[:: max(1, len(objects) // PILOT_OBJECTS)][:PILOT_OBJECTS]:
        began = clock()
        # A copy: fitters of own fields move the boxes and hulls of what they are given.
        fitter = new_single_fitter(record, FittingData([replace(item)], device(record.settings)))
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
    held = [item.images, *(item.pixels or ()), *([] if item.hull is None else [item.hull])]
    seen = sum(tensor.nbytes for tensor in held) + (0 if item.hull is None else 12 * item.hull.numel())
    each = seen + 4 * 8 * sum(math.prod(shape) for shape in shapes.values())
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else available_memory()
    return max(1, min(MOST_AT_ONCE, free // 2 // each))


def waves_of(record: RunRecord) -> list[list[str]]:
    """Objects of stage 2 that are fitted side by side: all at once where they change the shared part together."""
    size = len(record.stage2) if record.settings.policy == "joint" else record.settings.wave
    size = max(1, size or MOST_AT_ONCE)
    return [record.stage2[start : start + size] for start in range(0, len(record.stage2), size)]


def _joint(stage2: Sequence[Phase], stage1: Sequence[Phase]) -> tuple[Phase, ...]:
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


def _phases(record: RunRecord, waves: int) -> list[tuple[str, Phase, int]]:
    """Name, phase, and how often it is run."""
    first = [(f"stage 1: {phase.name}", phase, 1) for phase in record.phases1]
    return first + [(f"stage 2: {phase.name}", phase, waves) for phase in record.phases2 if waves]


def _total(times: Sequence[float], record: RunRecord, waves: int) -> float:
    phases = _phases(record, waves)
    return sum(seconds * phase.steps * count for seconds, (_, phase, count) in zip(times, phases, strict=True))


def _forecast(record: RunRecord, pilot: StageFitter, times: Sequence[float], waves: int, fixed: float) -> str:
    rendering, _ = shared_tensors(pilot.shared)
    pilots = tuple(
        PhasePilot(name, seconds, phase.steps * count)
        for seconds, (name, phase, count) in zip(times, _phases(record, waves), strict=True)
    )
    return forecast(
        Pilot(
            phases=pilots,
            objects=len(record.stage1) + len(record.stage2),
            shared_bytes=sum(tensor.nbytes for tensor in rendering.values()),
            object_bytes=sum(map(len, codec_of(pilot.shared).encode(pilot.codes_of([0]))[0])),
            fixed_seconds=fixed,
        )
    ).text
