"""Makes the runs that `tests/test_kept.py` opens, resumes and adds to. README.md beside it says with which code.

    export MANYFIELDS_COMPILED=0 PYTHONPATH=OLD/src
    python tests/kept/make.py views        # once: the views that all runs are fitted to
    python tests/kept/make.py runs FOLDER  # runs and collections, by the code at OLD
    python tests/kept/make.py expect       # what that code makes of all of them

It is kept to be read: the code of today need not run it.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import looks  # noqa: E402

import manyfields  # noqa: E402

ANGLE_X, RADIUS, SIDE = 0.6911112, 2.7, 16

# Views ---------------------------------------------------------------------------------------------------------------

OBJECTS: dict[str, dict[str, tuple[Any, ...]]] = {
    # Kind, half extents, colour, views: a phase that may end early wants an object of 20 training views.
    "views": {
        "ball": ("ball", (0.6, 0.6, 0.6), (0.2, 0.3, 0.9), 6),
        "flat": ("box", (0.7, 0.5, 0.2), (0.2, 0.8, 0.3), 6),
        "tall": ("box", (0.3, 0.3, 0.7), (0.8, 0.7, 0.1), 23),
    },
    "new": {"wide": ("box", (0.2, 0.75, 0.3), (0.6, 0.2, 0.8), 6)},
}


def make_views() -> None:
    """Boxes and balls cast exactly, with their depths; images; meshes; an autoencoder of a few thousand numbers."""
    for folder, objects in OBJECTS.items():
        for name, (kind, half, color, views) in objects.items():
            write_object(HERE / folder / name, kind, np.array(half), np.array(color), views)
    draw = np.random.default_rng(0)
    for folder, names in (("images", [f"i{number}" for number in range(9)]), ("new-images", ["n0"])):
        (HERE / folder).mkdir()
        for name in names:
            low = Image.fromarray(draw.integers(0, 255, (2, 2, 3), dtype=np.uint8))
            low.resize((8, 8), Image.Resampling.BILINEAR).save(HERE / folder / f"{name}.png", optimize=True)
    import trimesh

    sizes = {"box": (1, 1, 1), "slab": (1, 1, 0.5), "tower": (0.5, 0.5, 1), "wide": (0.7, 1, 0.8)}
    for folder, names in (("meshes", ["box", "slab", "tower"]), ("new-meshes", ["wide"])):
        (HERE / folder).mkdir()
        for name in names:
            (HERE / folder / f"{name}.ply").write_bytes(trimesh.creation.box(sizes[name]).export(file_type="ply"))
    from manyfields.latents.compact import CompactConfig, compact_autoencoder
    from manyfields.latents.stored import autoencoder_bytes

    torch.manual_seed(0)
    config = CompactConfig(channels=4, stride=4, width=5, encoder_blocks=1, decoder_blocks=1, fine_width=3)
    autoencoder = compact_autoencoder(config)
    autoencoder.whiten(torch.rand(4, 3, 16, 16))
    (HERE / "autoencoder.safetensors").write_bytes(autoencoder_bytes(autoencoder, {}))


def write_object(folder: Path, kind: str, half: np.ndarray, color: np.ndarray, views: int) -> None:
    frames = []
    for index in range(views):
        pose = pose_of(index, views)
        rgba, depth = cast(kind, half, color, pose)
        frame: dict[str, Any] = {"transform_matrix": pose.tolist()}
        for key, pixels in (("file_path", rgba), ("depth_path", (depth * 1e4).round().astype(np.uint16))):
            frame[key] = f"{key.removesuffix('_path')}/{index:02d}.png"
            path = folder / frame[key]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, optimize=True)
        frames.append(frame)
    content = {"camera_angle_x": ANGLE_X, "w": SIDE, "h": SIDE, "aabb": [[-1] * 3, [1] * 3], "depth_unit": 1e-4}
    (folder / "transforms.json").write_text(json.dumps({**content, "frames": frames}))


def pose_of(index: int, count: int) -> np.ndarray:
    angle, height = 2.399963 * index, -0.3 + 1.1 * (index + 0.5) / count
    flat = np.sqrt(1 - height**2)
    backward = np.array([flat * np.cos(angle), flat * np.sin(angle), height])
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(backward, right), backward, RADIUS * backward], -1)
    return pose.round(6)


def cast(kind: str, half: np.ndarray, color: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One view as RGBA in 8 bits, and depths along rays; 0 where nothing is hit."""
    focal = 0.5 * SIDE / np.tan(0.5 * ANGLE_X)
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5
    local = np.stack([(column - SIDE / 2) / focal, -(row - SIDE / 2) / focal, -np.ones_like(row)], -1)
    direction = local @ pose[:3, :3].T
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    origin = pose[:3, 3]
    if kind == "ball":
        middle = -direction @ origin
        rest = half[0] ** 2 - (origin @ origin - middle**2)
        hit, depth = rest > 0, middle - np.sqrt(np.maximum(rest, 0))
        normal = (origin + depth[..., None] * direction) / half[0]
    else:
        with np.errstate(divide="ignore"):
            slabs = np.stack([(sign * half - origin) / direction for sign in (-1, 1)])
        near, far = slabs.min(0), slabs.max(0)
        hit, depth = near.max(-1) < far.min(-1), near.max(-1)
        axis = near.argmax(-1)
        normal = -np.sign(np.take_along_axis(direction, axis[..., None], -1)) * np.eye(3)[axis]
    shaded = np.clip(color * (0.8 + 0.2 * normal[..., 2:]) + 0.1 * normal, 0, 1)
    rgba = np.concatenate([shaded, np.ones_like(shaded[..., :1])], -1) * hit[..., None]
    return (rgba * 255).round().astype(np.uint8), depth * hit


# Runs ----------------------------------------------------------------------------------------------------------------

BASE = {"checkpoint_seconds": 0.0, "precision": "float32", "hull": 8}
GUIDED = {"sampler": {"guided": 4, "bins": 16}, "final_sampler": {"guided": 6, "bins": 16, "supersampling": 2}}
SPREAD = {"sampler": {"stratified": 4, "importance": 4}, "final_sampler": {"stratified": 6, "importance": 4}}
FEW = {"objects_per_step": 2, "views_per_object": 2, "rays_per_object": 64}
SHARED = {"base_rate": 0.01, "fields_rate": 0.005}
PLANES = {
    **BASE, **GUIDED, "micro_features": 2, "macro_features": 4, "weight_groups": 4, "resolution": 10, "hidden": 16,
    "wave": 1,
    "stage1": [{"name": "rays", "steps": 8, "rgb": 1.0, "emptiness": 0.01, **SHARED, **FEW}],
    "stage2": [
        {"name": "rays", "steps": 6, "rgb": 1.0, "emptiness": 0.01, **FEW},
        {"name": "micro", "steps": 6, "rgb": 1.0, "weights_rate": 0.0, "coarse_share": 0.0, **FEW},
    ],
}  # fmt: skip
STOPS = [PLANES["stage2"][0], {**PLANES["stage2"][1], "steps": 20, "samples_grow": False, "stops": True}]  # type: ignore[index]
LATENT = {
    **PLANES, **SPREAD, "preset": "latent", "hull": 0, "weight_groups": 1,
    "autoencoder": str(HERE / "autoencoder.safetensors"),
    "stage1": [
        {"name": "warm-up", "steps": 3, "latent": 1.0, **SHARED, **FEW},
        {"name": "joint", "steps": 4, "latent": 0.02, "rgb": 1.0, "autoencoder": 0.1, "decoder_rate": 0.001,
         "encoder_rate": 0.0002, **SHARED, **FEW},
    ],
    "stage2": [{"name": "latent", "steps": 3, "latent": 1.0, **FEW}, {"name": "align", "steps": 3, "rgb": 1.0, **FEW}],
}  # fmt: skip
TRI = {
    **PLANES, **SPREAD, "preset": "tri-planes", "hull": 0, "weight_groups": 1, "micro_features": 4,
    "macro_features": 0,
    "stage1": [{"name": "rays", "steps": 6, "rgb": 1.0, "fields_rate": 0.01, **FEW}],
    "stage2": [{"name": "rays", "steps": 4, "rgb": 1.0, **FEW}],
}  # fmt: skip
LEARN = {"rgb": 1.0, "codes_rate": 0.1, "rays_per_object": 96}
OCTREE = {
    **BASE, **GUIDED, "octree": {"first": 1, "last": 3, "features": 4, "hidden": 16, "view_frequencies": 1},
    "preset": "octree",
    "stage1": [{"name": "octrees", "steps": 8, "fields_rate": 0.01, **LEARN}],
    "stage2": [{"name": "octrees", "steps": 6, **LEARN}],
}  # fmt: skip
INDICES = {
    **OCTREE, "preset": "octree-vq", "octree": {**OCTREE["octree"], "bits": 3, "entropy": 0.001},  # type: ignore[dict-item]
    "stage1": [
        {"name": "features", "steps": 4, "fields_rate": 0.01, **LEARN},
        {"name": "indices", "steps": 6, "indices": True, "fields_rate": 0.005, **LEARN},
    ],
    "stage2": [{"name": "features", "steps": 3, **LEARN}, {"name": "indices", "steps": 4, "indices": True, **LEARN}],
}  # fmt: skip
TENSORS = {
    **BASE, **GUIDED, "preset": "tensorf",
    "tensorf": {"density_components": 2, "appearance_components": 3, "features": 6, "hidden": 16, "first": 10,
                "last": 13, "upsample_at": [0.3], "mask_at": [0.5]},
    "stage1": [{"name": "tensors", "steps": 10, "fields_rate": 0.01, **LEARN}],
    "stage2": [{"name": "tensors", "steps": 6, **LEARN}],
}  # fmt: skip
PARALLEL = {
    **TENSORS, "preset": "tensorf-cp",
    "tensorf": {**TENSORS["tensorf"], "density_components": 6, "appearance_components": 12},  # type: ignore[dict-item]
}  # fmt: skip
FACTORS = {
    **BASE, **GUIDED, "preset": "factor-fields",
    "factor": {"sides": [6, 9], "widths": [2, 1], "frequencies": [1.0, 2.5], "coefficients": 6, "projection": 8,
               "features": 6, "hidden": 16, "mask_at": [0.5]},
    "stage1": [{"name": "factors", "steps": 8, "fields_rate": 0.01, **LEARN}],
    "stage2": [{"name": "factors", "steps": 6, **LEARN}],
}  # fmt: skip
MIXTURE = {
    **BASE, **GUIDED, "preset": "mixture", "wave": 1,
    "mixture": {"hidden_layers": 2, "width": 12, "bases": 5, "latent": 4, "w0": 10.0, "guide_side": 8},
    "stage1": [{"name": "mixture", "steps": 10, "rgb": 1.0, "smoothness": 0.0, "emptiness": 0.1, "codes_rate": 0.05,
                "base_rate": 0.002, "fields_rate": 0.002, **FEW}],
    "stage2": [{"name": "mixture", "steps": 5, "rgb": 1.0, "smoothness": 0.0, "emptiness": 0.1, "codes_rate": 0.05,
                **FEW}],
}  # fmt: skip
INSTANCES = {"name": "instances", "rgb": 1.0, "smoothness": 0.0, "views_per_object": 1, "objects_per_step": 4,
             "rays_per_object": 40, "codes_rate": 0.03}  # fmt: skip
IMAGES = {
    "checkpoint_seconds": 0.0, "precision": "float32", "preset": "mixture-images", "wave": 2, "stage1_objects": 6,
    "mixture": {"hidden_layers": 1, "width": 8, "bases": 4, "latent": 3, "w0": 10.0},
    "signals": {"side": 8, "adaptation": "principal"},
    "stage1": [{**INSTANCES, "steps": 10, "base_rate": 0.003, "fields_rate": 0.003}],
    "stage2": [{**INSTANCES, "steps": 4}],
}  # fmt: skip
META = {**IMAGES, "signals": {"side": 8, "adaptation": "meta"}}
VOXELS = {**IMAGES, "preset": "mixture-voxels", "stage1_objects": 2, "signals": {"side": 6, "adaptation": "principal"}}

TWO = {"stage1_objects": 2}
SCENES = {"objects": ("ball", "flat")}
Fit = tuple[str, dict[str, Any], dict[str, Any], list[tuple[str, int]]]
FITS: dict[str, Fit] = {
    # Views, settings, what else is given, and after which step of which phase a run is stopped.
    "planes": ("views", {**PLANES, "stage2": STOPS}, TWO, [("stage 1: rays", 5), ("stage 2.1: micro", 9)]),
    "planes-joint": ("views", PLANES, {**TWO, "policy": "joint"}, [("stage 2: rays", 3)]),
    "latent": ("views", LATENT, TWO, [("stage 2.1: align", 1)]),
    "tri-planes": ("views", TRI, TWO, []),
    "octree": ("views", OCTREE, SCENES, [("stage 1: octrees", 5)]),
    "octree-vq": ("views", INDICES, SCENES, [("stage 1: indices", 2)]),
    "tensorf": ("views", TENSORS, SCENES, [("stage 1: tensors", 7)]),
    "tensorf-cp": ("views", PARALLEL, SCENES, []),
    "factor-fields": ("views", FACTORS, SCENES, [("stage 1: factors", 5)]),
    "mixture": ("views", MIXTURE, TWO, [("stage 2.1: mixture", 2)]),
    "images": ("images", IMAGES, {}, [("stage 1: instances", 6), ("stage 2.1: instances", 2)]),
    "images-meta": ("images", META, {}, [("stage 1: instances", 6)]),
    "voxels": ("meshes", VOXELS, {}, []),
}
SMALL = {"latent": 6, "hidden": 5, "rays": 32}
Made = tuple[str, dict[str, Any], tuple[str, int] | None]
COMPRESSED: dict[str, Made] = {
    # Run, choices, and when it is stopped. Those that are stopped have the choices of `looks.GO_ON`: defaults but for
    # steps, so that any code has words for them.
    "planes-vq": ("planes", {"codec": "vq", "bits": (3,), "steps": 3}, None),
    "planes-transform": ("planes", looks.GO_ON["planes-transform-stopped"], ("ball: latents", 2)),
    "latent-vq": ("latent", {"codec": "vq", "bits": (3,), "groups": 2}, None),
    "octree-coded": ("octree", {"codec": "vq", "bits": (3,), "steps": 4}, None),
    "tensorf-transform": ("tensorf", {"codec": "transform", "steps": 3, "transform": SMALL}, None),
    "tensorf-own": (
        "tensorf",
        {"codec": "transform", "steps": 3, "transform": SMALL, "variants": ("end-to-end", "hyperprior")},
        None,
    ),
    "tensorf-learned": (
        "tensorf",
        {"codec": "transform", "learn_from": ("tensorf-other",), "learn_steps": 6, "transform": SMALL},
        None,
    ),
    "tensorf-pyramid": ("tensorf", looks.GO_ON["tensorf-pyramid-stopped"], ("compressing", 1)),
    "factor-transform": ("factor-fields", {"codec": "transform", "steps": 3, "transform": SMALL}, None),
}
OLD = {"planes", "latent", "octree-vq", "tensorf", "mixture", "images", "planes-vq", "tensorf-pyramid"}
OLD_STOPPED = {"planes", "octree-vq", "images"}
"""What the older code makes again."""


class Stopped(BaseException):
    """Stands for the death of the process."""


def stopping(phase: str, step: int) -> Callable[..., None]:
    def progress(name: str, done: int, total: int, **figures: object) -> None:
        if (name, done) == (phase, step):
            raise Stopped

    return progress


def make_runs(folder: str) -> None:
    work = Path(tempfile.mkdtemp())
    old = folder != "5688b36"
    fits = {"tensorf-other": ("new", TENSORS, {}, []), **FITS}
    for name, (data, settings, given, stops) in fits.items():
        if old and name not in OLD:
            continue
        settings = dict(settings) if not old else without(settings, "stops", "samples_grow")
        (work / "settings.json").write_text(json.dumps(settings))
        given = {**given, "config": work / "settings.json", "report": False}
        manyfields.fit(HERE / data, work / name, **given)
        if name == "tensorf-other":
            continue
        keep(work / name, f"{folder}/{name}")
        if old:
            stops = stops[-1:] if name in OLD_STOPPED else []
        for number, (phase, step) in enumerate(stops, 1):
            stopped = work / f"{name}-stopped-{number}"
            try:
                manyfields.fit(HERE / data, stopped, **given, progress=stopping(phase, step))
            except Stopped:
                keep(stopped, f"{folder}/{stopped.name}")
            else:
                raise SystemExit(f"{name} has no step {step} of {phase}")
    for name, (run, choices, stop) in COMPRESSED.items():
        if old and name not in OLD:
            continue
        choices = {**choices, "learn_from": [work / other for other in choices.get("learn_from", ())]}
        manyfields.compress(work / run, work / name, report=False, **choices)
        keep(work / name, f"{folder}/{name}")
        if stop is not None and not old:
            stopped = work / f"{name}-stopped"
            try:
                manyfields.compress(work / run, stopped, report=False, **choices, progress=stopping(*stop))
            except Stopped:
                keep(stopped, f"{folder}/{stopped.name}")
            else:
                raise SystemExit(f"{name} has no step {stop}")
    make_files(work, HERE / folder, old)


def without(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    """Settings that the older code does not know yet left away."""
    stages = {}
    for stage in ("stage1", "stage2"):
        stages[stage] = [{key: value for key, value in phase.items() if key not in names} for phase in settings[stage]]
    return {**settings, **stages}


def make_files(work: Path, folder: Path, old: bool) -> None:
    """Files that stand alone: an octree with its network, and the surface of a mesh."""
    from manyfields.commands import main

    main(["stream", str(work / "octree-vq"), "--object", "flat", "--out", str(folder / "flat.vq")])
    if not old:
        flags = ["--levels", "2", "4", "--bits", "3", "--steps", "40", "--truncation", "0.1", "--no-scores"]
        main(["shape", str(HERE / "meshes" / "slab.ply"), str(folder / "slab.vq"), *flags])


def keep(run: Path, name: str) -> None:
    """A run with its views at looks.PLACE, and without what only the process had."""
    target = HERE / name
    leave = ["*.tmp", ".lock", "importance", "report*"]
    record = target / "run.json"
    finished = "stopped" not in name
    shutil.copytree(run, target, ignore=shutil.ignore_patterns(*leave, *["checkpoints"] * finished))
    if record.exists():  # a stopped compression has none yet
        record.write_text(record.read_text().replace(HERE.as_posix(), looks.PLACE))


def expect() -> None:
    """Notes what is seen of every run, and of what is added to it; stopped runs must end as those that were not."""
    (HERE / "machine.json").write_text(json.dumps(looks.machine(), indent=1) + "\n")
    work = Path(tempfile.mkdtemp())
    for name in looks.finished():
        folder = looks.copied(name, work / name)
        ids = manyfields.open_collection(folder).ids
        stated, seen = {"opened": looks.facts(folder, ids)}, looks.pictures(folder, ids, work)
        more = looks.added(name, folder)
        stated["added"] = looks.facts(folder, more)
        looks.write_expected(name, stated, {**seen, **looks.pictures(folder, more, work)})
        print(name, *ids, "added", *more)
    for commit in sorted({name.partition("/")[0] for name in looks.finished()}):
        looks.write_expected(commit, {}, looks.files(commit, work))
    for name in looks.stopped():
        folder = looks.resumed(name, work)
        ids = manyfields.open_collection(folder).ids
        stated, seen = {"opened": looks.facts(folder, ids)}, looks.pictures(folder, ids, work)
        before, _ = looks.read_expected(looks.whole_of(name))
        if stated["opened"] != before["opened"]:
            print(name, "ends otherwise than it would have by the code that began it")
            looks.write_expected(name, stated, seen)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "views":
        make_views()
    elif sys.argv[1] == "runs":
        make_runs(sys.argv[2])
    else:
        expect()
