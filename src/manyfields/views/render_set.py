"""A folder of meshes to a folder of objects with posed pictures, in parallel, and resumable.

OUT/<object id>/rgba/000.png ..    RGBA, sRGB, straight alpha, RGB = 0 where alpha = 0
OUT/<object id>/depth/000.png ..   16 bit: distance along the ray in ten-thousandths of a world unit, 0 where nothing is
OUT/<object id>/transforms.json    cameras, settings and remarks; written last, so an object that has it is complete
"""

from __future__ import annotations

import json
import math
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from manyfields._checks import COUNT, SEED
from manyfields._io import read_json, write_json
from manyfields._lock import locked
from manyfields.cores import available_cores
from manyfields.errors import ConfigError, ManyfieldsError, MeshError
from manyfields.names import printable
from manyfields.views.mesh_renderer.light import STUDIO, Light, read_light
from manyfields.views.mesh_sources import MeshSource, find_meshes, load
from manyfields.views.render_workers import render_pool
from manyfields.views.viewpoints import CAMERA_ANGLE_X, VIEWPOINTS, camera_poses

_PICTURES = "rgba"
_DEPTHS = "depth"


@dataclass(frozen=True)
class RenderSettings:
    """What the pictures of an object depend on besides its mesh; recorded in its `transforms.json`.

    `light` is "studio", "flat" or a Radiance file; of a file its name is recorded, with the start of its SHA-256.
    """

    views: int = 160
    size: int = 128
    seed: int = 0
    viewpoints: str = "hemisphere"
    depth: bool = True
    up: str | None = None
    light: str = STUDIO

    def __post_init__(self) -> None:
        if self.views < 1 or not 8 <= self.size <= 2048:
            raise ConfigError(
                f"views {self.views}, size {self.size}: need at least 1 view and a size of 8 to 2048 pixels"
            )
        SEED.check("seed", self.seed)
        if self.viewpoints not in VIEWPOINTS:
            raise ConfigError(f"viewpoints {self.viewpoints!r} is not known; use one of {', '.join(VIEWPOINTS)}")
        if self.up not in (None, "y", "z"):
            raise ConfigError(f"up axis {self.up!r} is not known; use 'y' or 'z'")


@dataclass
class RenderSummary:
    """What became of each mesh: ids rendered now, ids complete already, and id -> message of those set aside.

    `remarks` holds what was not understood of meshes that are rendered all the same, now or in an earlier run.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Outcome:
    """Of one mesh in a worker: why it was set aside (None: it was not), and what was not understood of it."""

    failure: str | None = None
    remarks: tuple[str, ...] = ()


def render_mesh(path: Path, out: Path, settings: RenderSettings, source: MeshSource | None = None) -> tuple[str, ...]:
    """Render one mesh into the object folder `out` (replaced where incomplete); its remarks.

    Raises MeshError, ConfigError.
    """
    from manyfields.views.mesh_renderer.renderer import MeshRenderer

    path = Path(path)
    light = read_light(settings.light)
    settings = replace(settings, light=light.name)
    renderer = MeshRenderer(settings.size, light=light)
    try:
        source = source or MeshSource(path.stem, path, path.resolve().parent.name, path.stem)
        return _render_object(renderer, source, Path(out), settings)
    finally:
        renderer.close()


def _render_object(renderer: Any, source: MeshSource, out: Path, settings: RenderSettings) -> tuple[str, ...]:
    from PIL import Image

    from manyfields.views.mesh_renderer.renderer import DEPTH_UNIT

    mesh = load(source, settings.up)
    for name in (_PICTURES, _DEPTHS):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / _PICTURES).mkdir(parents=True)
    if settings.depth:
        (out / _DEPTHS).mkdir()
    renderer.show(mesh)
    frames: list[dict[str, Any]] = []
    for index, pose in enumerate(camera_poses(settings.views, settings.viewpoints, settings.seed, source.id)):
        rgba, depth = renderer.render(pose)
        picture = f"{_PICTURES}/{index:03d}.png"
        Image.fromarray(rgba).save(out / picture, compress_level=4)
        frame: dict[str, Any] = {"file_path": picture, "transform_matrix": pose.tolist()}
        if settings.depth:
            frame["depth_path"] = f"{_DEPTHS}/{index:03d}.png"
            levels = np.rint(depth / DEPTH_UNIT).astype(np.uint16)
            Image.fromarray(levels).save(out / frame["depth_path"], compress_level=4)
        frames.append(frame)
    focal = 0.5 * settings.size / math.tan(CAMERA_ANGLE_X / 2)
    header: dict[str, Any] = {
        "camera_angle_x": CAMERA_ANGLE_X,
        "w": settings.size,
        "h": settings.size,
        "fl_x": focal,
        "fl_y": focal,
        "cx": settings.size / 2,
        "cy": settings.size / 2,
        "aabb": [[-1, -1, -1], [1, 1, 1]],
        "object_id": source.id,
        "object_class": source.object_class,
        "group": source.group,
        "model_to_world": mesh.model_to_world.tolist(),
        "bounds": mesh.bounds.tolist(),
        "render": asdict(settings),
    }
    if settings.depth:
        header["depth_unit"] = DEPTH_UNIT
    if mesh.remarks:
        header["remarks"] = list(mesh.remarks)
    write_json(out / "transforms.json", {**header, "frames": frames})
    return mesh.remarks


def recorded_remarks(folder: Path) -> tuple[str, ...]:
    """What was not understood of the mesh of a complete object folder when it was rendered."""
    remarks = read_json(folder / "transforms.json").get("remarks", [])
    return tuple(str(remark) for remark in remarks) if isinstance(remarks, list) else ()


def is_complete(folder: Path, settings: RenderSettings) -> bool:
    """Whether an object folder holds everything `settings` asks for. Raises MeshError where it holds something else."""
    file = folder / "transforms.json"
    if not file.is_file():
        others = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if set(others) - {_PICTURES, _DEPTHS} - {name for name in others if name.startswith(".transforms.json.")}:
            raise MeshError(f"{folder}: holds files that are no renders ({others[0]}); choose another folder")
        return False
    try:
        header = read_json(file)
        recorded = header.get("render")
    except (ValueError, AttributeError):
        header, recorded = {}, None
    if recorded != asdict(settings):
        raise MeshError(
            f"{folder}: was rendered with other settings ({json.dumps(recorded)}); use those, or another folder"
        )
    return all(_has_pictures(folder, frame, settings.depth) for frame in header.get("frames", ()))


def _has_pictures(folder: Path, frame: dict[str, Any], depth: bool) -> bool:
    """Whether the files of a frame are there, and not empty: pictures may have been lost since, or never copied."""
    files = [folder / str(frame.get(name)) for name in ("file_path", "depth_path")[: 1 + depth]]
    return all(path.is_file() and path.stat().st_size for path in files)


def render_set(
    meshes: Path,
    out: Path,
    *,
    views: int = 160,
    size: int = 128,
    seed: int = 0,
    viewpoints: str = "hemisphere",
    depth: bool = True,
    up: str | None = None,
    light: str | Path = STUDIO,
    workers: int | None = None,
    sources: Sequence[MeshSource] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> RenderSummary:
    """Render every mesh of a folder (or one file) to OUT/<object id>/.

    Complete objects are skipped, incomplete ones made anew. A mesh that cannot be rendered is set aside in the summary;
    only if none is usable a MeshError ends the run, as it does where OUT holds renders with other settings, or another
    process renders into it. `up` is the up axis of the files ("y" or "z"; default by format), `light` "studio", "flat"
    (colours as they are) or a Radiance file (.hdr), `workers` the number of processes (default: one per core that
    this process may use), which end with this one; `sources` the meshes to take, in order, in place of all of the
    folder; `progress(finished, total, id)` is called in this process after each object. Raises MeshError, ConfigError.
    """
    COUNT.check("workers", workers)
    surroundings = read_light(light)
    settings = RenderSettings(views, size, seed, viewpoints, depth, up, surroundings.name)
    chosen = list(sources) if sources is not None else find_meshes(Path(meshes))
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise MeshError(f"{out}: is a file; name a folder to render into")
    if out.resolve() == Path(meshes).resolve():
        raise MeshError(f"{out}: is the folder of the meshes; name another one to render into")
    out.mkdir(parents=True, exist_ok=True)
    summary = RenderSummary()
    with locked(out, MeshError(f"{out}: another process is rendering into it; try again when it is done")):
        pending: list[MeshSource] = []
        for source in chosen:
            if is_complete(out / source.id, settings):
                summary.skipped.append(source.id)
                if remarks := recorded_remarks(out / source.id):
                    summary.remarks[source.id] = remarks
            else:
                pending.append(source)
        finished = len(summary.skipped)
        for source, outcome in _rendered(pending, out, settings, surroundings, workers or available_cores()):
            finished += 1
            if outcome.failure is None:
                summary.done.append(source.id)
            else:
                summary.failed[source.id] = outcome.failure
            if outcome.remarks:
                summary.remarks[source.id] = outcome.remarks
            if progress is not None:
                progress(finished, len(chosen), source.id)
    if not summary.done and not summary.skipped:
        first = next(iter(summary.failed.values()), "it is empty")
        raise MeshError(f"{meshes}: no mesh of {len(chosen)} can be rendered; the first: {first}")
    summary.done.sort()
    summary.remarks = dict(sorted(summary.remarks.items()))
    return summary


def _rendered(
    pending: list[MeshSource], out: Path, settings: RenderSettings, light: Light, workers: int
) -> Iterator[tuple[MeshSource, _Outcome]]:
    """Yield each source with what became of it, as objects finish.

    A process that dies (a driver crash, out of memory) takes its pool with it; the objects that were under way are
    tried again one at a time, so that the guilty mesh is known, and the others go on in a new pool.
    """
    waiting = deque(pending)
    while waiting:
        suspects = yield from _in_pool(waiting, out, settings, light, min(workers, len(waiting)))
        for source in suspects:
            if (yield from _in_pool(deque([source]), out, settings, light, 1)):
                died = f"{source.path}: the rendering process died on it; look at the mesh and at free memory"
                yield source, _Outcome(printable(died))


def _in_pool(
    waiting: deque[MeshSource], out: Path, settings: RenderSettings, light: Light, workers: int
) -> Generator[tuple[MeshSource, _Outcome], None, list[MeshSource]]:
    """Work through `waiting` until it is empty or a process dies; return the sources that were under way then."""
    running: dict[Future[_Outcome], MeshSource] = {}
    pool = render_pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                running[pool.submit(_work, waiting[0], out / waiting[0].id, settings, light)] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                yield running.pop(future), outcome
    except BrokenProcessPool:
        return list(running.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


_renderers: dict[tuple[int, str], Any] = {}  # one window for each process, kept between objects


def _work(source: MeshSource, out: Path, settings: RenderSettings, light: Light) -> _Outcome:
    from manyfields.views.mesh_renderer.renderer import MeshRenderer

    try:
        key = (settings.size, light.name)
        if key not in _renderers:
            _renderers[key] = MeshRenderer(settings.size, light=light)
        return _Outcome(remarks=_render_object(_renderers[key], source, out, settings))
    except ManyfieldsError as error:
        return _Outcome(printable(str(error)))
    except Exception as error:  # one bad mesh must not end a run of a thousand others
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _Outcome(printable(f"{source.path}: cannot be rendered ({detail})"))
