"""A tiny run, fitted once, for tests of what is done with it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyfields.families.octree import growing as octree_growing
from manyfields.runs import fit

SAMPLES = {"stratified": 4, "importance": 4}
SMALL = {"objects_per_step": 2, "views_per_object": 2}
LEARNING = {"decoder_rate": 0.001, "encoder_rate": 0.0002}
SHARED = {"base_rate": 0.01, "fields_rate": 0.005}
TINY: dict[str, Any] = {
    "preset": "latent",
    "micro_features": 3,
    "macro_features": 5,
    "resolution": 16,
    "hidden": 16,
    "sampler": SAMPLES,
    "final_sampler": SAMPLES,
    "wave": 1,
    "checkpoint_seconds": 0.0,
    "stage1": [
        {"name": "warm-up", "steps": 3, "latent": 1.0, **SHARED, **SMALL},
        {"name": "joint", "steps": 4, "latent": 0.02, "rgb": 1.0, "autoencoder": 0.1, **LEARNING, **SHARED, **SMALL},
    ],
    "stage2": [
        {"name": "latent", "steps": 3, "latent": 1.0, **SMALL},
        {"name": "align", "steps": 3, "rgb": 1.0, **SMALL},
    ],
}
RAYS = {"name": "rays", "steps": 5, "rgb": 1.0, "emptiness": 0.01, "rays_per_object": 64, **SMALL}
TINY_RGB: dict[str, Any] = {
    **{name: TINY[name] for name in ("micro_features", "macro_features", "resolution", "hidden", "wave")},
    "checkpoint_seconds": 0.0,
    "weight_groups": 5,
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16, "supersampling": 2},
    "stage1": [{**RAYS, **SHARED}],
    "stage2": [RAYS],
}
TINY_OCTREES: dict[str, Any] = {
    "octree": {"first": 2, "last": 4, "features": 16, "hidden": 32, "view_frequencies": 1},
    "hull": 16,
    "sampler": {"guided": 6, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "checkpoint_seconds": 0.0,
    "stage1": [
        {"name": "octrees", "steps": 6, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01, "rays_per_object": 128}
    ],
    "stage2": [{"name": "octrees", "steps": 3, "rgb": 1.0, "codes_rate": 0.1, "rays_per_object": 128}],
}
TENSORS = {
    "name": "tensors",
    "steps": 6,
    "rgb": 1.0,
    "codes_rate": 0.1,
    "fields_rate": 0.01,
    "rays_per_object": 64,
}
TINY_TENSORS: dict[str, Any] = {
    "preset": "tensorf",
    "tensorf": {
        "density_components": 4,
        "appearance_components": 4,
        "features": 6,
        "hidden": 16,
        "first": 24,
        "last": 24,
        "upsample_at": [],
        "mask_at": [0.5],
    },
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [TENSORS],
    "stage2": [{**TENSORS, "fields_rate": 0.0}],
}
STORED = ("collection.json", "shared-*", "encoder-*", "objects-*", "codes-*")


def stored_hashes(run: Path) -> dict[str, str]:
    """SHA-256 of every file of the collection in a run folder."""
    files = sorted(path for pattern in STORED for path in run.glob(pattern))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="session")
def hashes() -> Callable[[Path], dict[str, str]]:
    return stored_hashes


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Path:
    """A JSON file of settings under which a fit takes seconds; checkpoints are written after every step."""
    path = tmp_path_factory.mktemp("settings") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture(scope="session")
def rgb_settings(tmp_path_factory) -> Path:
    """Likewise for the default: fused planes in RGB space, with hulls."""
    path = tmp_path_factory.mktemp("settings") / "tiny-rgb.json"
    path.write_text(json.dumps(TINY_RGB))
    return path


@pytest.fixture(scope="session")
def octree_settings(tmp_path_factory) -> Path:
    """Likewise for octrees, whose start without depth is short too."""
    path = tmp_path_factory.mktemp("settings") / "tiny-octrees.json"
    path.write_text(json.dumps(TINY_OCTREES))
    return path


@pytest.fixture(scope="session")
def tensor_settings(tmp_path_factory) -> Path:
    """Likewise for tensor fields."""
    path = tmp_path_factory.mktemp("settings") / "tiny-tensors.json"
    path.write_text(json.dumps(TINY_TENSORS))
    return path


def grow_octrees_shortly(patch: pytest.MonkeyPatch) -> None:
    """Octrees of views without depth are grown by a fit of their own, which is short then."""
    patch.setattr(octree_growing, "COARSE", replace(octree_growing.COARSE, steps=6, rays_per_object=128))


@pytest.fixture(scope="session")
def data(tmp_path_factory, shapes) -> Path:
    """Four objects of ten views, 32 pixels a side."""
    folder = tmp_path_factory.mktemp("views") / "set"
    return shapes.write_set(folder, ["ball_blue", "ball_red", "box_flat", "box_tall"])


@pytest.fixture(scope="session")
def _fitted(tmp_path_factory, data, settings) -> Path:
    run = tmp_path_factory.mktemp("fitted") / "run"
    fit(data, run, config=settings, stage1_objects=2)
    return run


@pytest.fixture
def run(tmp_path, _fitted) -> Path:
    """A finished run (two objects in stage 1, two waves of one in stage 2) that a test may change."""
    shutil.copytree(_fitted, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def tensor_run(tmp_path_factory, data, tensor_settings) -> Path:
    """A finished run of tensor fields, for tests that leave it as it is."""
    run = tmp_path_factory.mktemp("tensors") / "run"
    fit(data, run, config=tensor_settings, report=False)
    return run


@pytest.fixture(scope="session")
def _rgb_fitted(tmp_path_factory, data, rgb_settings) -> Path:
    run = tmp_path_factory.mktemp("rgb") / "run"
    fit(data, run, config=rgb_settings, stage1_objects=2, report=False)
    return run


@pytest.fixture
def rgb_run(tmp_path, _rgb_fitted) -> Path:
    """Likewise of fused planes in RGB space, with hulls."""
    shutil.copytree(_rgb_fitted, tmp_path / "rgb-run")
    return tmp_path / "rgb-run"


@pytest.fixture
def new_data(tmp_path, shapes) -> Path:
    """An object that the run does not have yet."""
    return shapes.write_set(tmp_path / "new", ["box_wide"])
