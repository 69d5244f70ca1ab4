"""How the cost of stage 2 grows with objects, views and pixels: the same rays an object, against one shared part."""

import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.common import use_threads
from benchmarks.speed.bench import SIZE, VIEWS, Bench
from manyfields.collection import open_collection
from manyfields.collection.shared_file import open_shared_part
from manyfields.evaluation.record import Record
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.families.registry import new_fitter
from manyfields.fitting.data import FittingData, FittingObject
from manyfields.fitting.phases import Phase
from manyfields.memory import keep_freed_memory
from manyfields.runs import RunRecord

RAYS = 100_000  # that each object learns from
OBJECTS, FEW = (1, 4, 16), 4


def fitter_of(bench: Bench, objects: Sequence[FittingObject]) -> PlaneFitter:
    """A fitter of new objects against the shared part of the benchmark."""
    run = bench.shared_run()
    return new_fitter(
        RunRecord.load(run).settings, open_shared_part(open_collection(run)), FittingData(list(objects)), average=True
    )


def last_phase(bench: Bench, objects: int, rays: int = RAYS) -> Phase:
    """The long phase of stage 2 (micro planes alone), with as many steps as give each object its rays."""
    phase = RunRecord.load(bench.shared_run()).settings.stage2[-1]
    together = min(phase.objects_per_step, objects)
    steps = rays * objects / (together * phase.rays_of_a_step(objects))
    return replace(phase, steps=max(1, round(steps)))


def seconds_of(fitter: PlaneFitter, phase: Phase) -> float:
    """Seconds of the steps of a phase, without the first two."""
    fitter.begin(phase)
    for index in range(2):
        fitter.step(phase, index)
    began = time.perf_counter()
    fitter.run(phase)
    return time.perf_counter() - began


def measure(bench: Bench) -> list[Record]:
    use_threads(bench.threads)
    keep_freed_memory()
    record = RunRecord.load(bench.shared_run())
    rows: list[Record] = []
    cases = [(f"objects_{count}", count, VIEWS, SIZE) for count in OBJECTS]
    cases += [(f"views_{views}", FEW, views, SIZE) for views in (VIEWS // 4, VIEWS)]
    cases += [(f"pixels_{size}", FEW, VIEWS, size) for size in (SIZE // 2, SIZE, 2 * SIZE)]
    for name, count, views, size in cases:
        began = time.perf_counter()
        objects = bench.objects(bench.new[:count], record, size, views)
        fitter, phase = fitter_of(bench, objects), last_phase(bench, count)
        assert fitter.data.pool is not None
        prepared = (time.perf_counter() - began) / count
        steps = seconds_of(fitter, phase) / count
        note = f"{count} objects, {views} views, {size}x{size} (resized), {phase.steps} steps, {RAYS} rays an object"
        figures = {
            "seconds_per_object": (steps, "steps alone"),
            "preparing": (prepared, "views, hull, pixels, an object"),
        }
        for figure, (value, what) in figures.items():
            rows.append(bench.row(f"growth.{name}.{figure}", value, "s", f"{note}; {what}", record.trained))
    return rows
