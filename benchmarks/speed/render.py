"""Rendering stored objects at 128x128: latency of a view, throughput of many, the way from bytes to a first view."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.common import median_seconds, use_threads
from benchmarks.floor.peaks import measured_cpu
from benchmarks.floor.stage2 import one_view, samples_walked
from benchmarks.speed.bench import SIZE, Bench
from manyfields.cameras import Cameras, orbit, stack
from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import stored_sampler
from manyfields.compiled import plain_only
from manyfields.evaluation.record import Record
from manyfields.fields import Codes
from manyfields.rendering import Occupancy, Sampler
from manyfields.runs import RunRecord

BATCH, AT_ONCE, FRAMES = 64, 8, 24
ELEVATIONS = (10.0, 25.0, 40.0, 60.0)


def cameras_all_around() -> Cameras:
    """64 views of the upper hemisphere."""
    rings = [orbit(BATCH // len(ELEVATIONS), elevation=each, width=SIZE, height=SIZE) for each in ELEVATIONS]
    joined = stack(rings)
    return Cameras(
        joined.camera_to_world.flatten(0, 1), joined.focal.flatten(0, 1), joined.center.flatten(0, 1), SIZE, SIZE
    )


def first_view(run: Path, cameras: Cameras) -> Callable[[], object]:
    """From files to a picture: manifest, shared part, index, the object's bytes, its occupancy, one view."""

    def work() -> object:
        collection = open_collection(run)
        return collection[collection.ids[0]].render(cameras)

    return work


def next_object(collection: Collection, cameras: Cameras) -> Callable[[], object]:
    """The same in a collection that is open: its bytes, its occupancy, one view."""
    return lambda: collection[collection.ids[0]].render(cameras)


def many_objects(collection: Collection, sampler: Sampler, cameras: Cameras) -> Callable[[], None]:
    """One view of each of 64 objects, a few objects at a time; where there are fewer, they come again."""
    shared = collection.shared_part
    items = [collection[name] for name in collection.ids]
    picked = [items[number % len(items)] for number in range(BATCH)]
    codes = Codes.concatenate([item.code() for item in picked])
    bounds = torch.stack([torch.as_tensor(item.bounds, dtype=torch.float32) for item in picked])
    occupancy = shared.occupancy(codes, bounds)
    own_cameras = stack([cameras[number : number + 1] for number in range(BATCH)])

    @torch.no_grad()
    def work() -> None:
        for part in torch.arange(BATCH).split(AT_ONCE):
            own = None if occupancy is None else Occupancy(occupancy.leaps[part])
            shared.pictures(codes[part], own_cameras[part], bounds[part], sampler, guide=own)

    return work


def measure(bench: Bench) -> list[Record]:
    ours, triplanes = bench.shared_run(), bench.triplanes_run()
    use_threads(bench.threads)
    collection = open_collection(ours)
    default = stored_sampler(collection)
    samplers = {"": default, "one_ray.": replace(default, supersampling=1)}
    views, one, ring = cameras_all_around(), orbit(1, width=SIZE, height=SIZE), orbit(FRAMES, width=SIZE, height=SIZE)
    rows: list[Record] = []
    trained = RunRecord.load(ours).trained

    def keep(name: str, value: float, unit: str, note: str) -> None:
        rows.append(bench.row(f"render.{name}", value, unit, note, trained))

    def add(name: str, count: int, work: Callable[[], object], note: str, limit: float = 3.0) -> float:
        seconds = median_seconds(work, limit)
        keep(f"{name}fps", count / seconds, "views/s", f"{note}, {SIZE}x{SIZE}")
        return seconds

    item = collection[collection.ids[0]]
    bounds = torch.as_tensor(item.bounds, dtype=torch.float32)[None]
    field = collection.shared_part.family.field(item.code(), None, bounds)
    occupancy = collection.shared_part.occupancy(item.code(), bounds)
    assert occupancy is not None
    for name, sampler in samplers.items():
        rays = f"{sampler.supersampling**2} rays a pixel, steps of a box over {sampler.across}"
        seconds = add(name, 1, partial(item.render, one, sampler=sampler), f"single views, {rays}")
        keep(f"{name}latency", 1000 * seconds, "ms", f"a single view, {rays}")
        count, used = samples_walked(field, one, bounds, occupancy, sampler, SIZE)
        least = measured_cpu(bench.threads).floor(one_view(RunRecord.load(ours).settings, count, used))
        note = f"a single view, {rays}, {used:.0f} samples of {count} rays counted"
        keep(f"{name}share_of_floor", least / seconds, "", note)
        add(f"{name}batch_64.", BATCH, partial(item.render, views, sampler=sampler), f"64 views at once, {rays}")
        add(f"{name}orbit.", FRAMES, partial(item.render, ring, sampler=sampler), f"an orbit of {FRAMES}, {rays}")
        work = many_objects(collection, sampler, views)
        add(f"{name}objects_64.", BATCH, work, f"one view of each of {BATCH} objects, {AT_ONCE} at a time, {rays}")
        with plain_only():
            add(
                f"{name}plain.",
                1,
                partial(item.render, one, sampler=sampler),
                f"single views, plain PyTorch, {rays}",
            )

    note = "open a collection, read and decode an object, its occupancy, one view; files in the cache of the system"
    keep("first_view", 1000 * median_seconds(first_view(ours, one)), "ms", note)
    note = "read and decode an object of an open collection, its occupancy, one view"
    keep("next_object", 1000 * median_seconds(next_object(collection, one)), "ms", note)
    other, trained = open_collection(triplanes), RunRecord.load(triplanes).trained
    item_of_planes, sampler = other[other.ids[0]], stored_sampler(other)
    count = sampler.stratified + sampler.importance
    for name, context in (("triplanes.", nullcontext), ("triplanes.plain.", plain_only)):
        with context():
            add(name, 1, lambda: item_of_planes.render(one), f"Tri-Planes in RGB, single views, {count} samples a ray")
    return rows
