"""A tiny set in memory and a small autoencoder, for tests of the fitting loop."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from manyfields.cameras import Cameras, focal_from_angle
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, load_object
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart
from manyfields.views import ViewSet, read_views

SIZE = (16, 16)


@pytest.fixture(scope="session")
def cameras_of(shapes) -> Callable[[list[np.ndarray], int], Cameras]:
    """Cameras at poses, as the shapes are cast through them."""

    def make(poses: list[np.ndarray], side: int) -> Cameras:
        count, focal = len(poses), focal_from_angle(shapes.ANGLE_X, side)
        return Cameras(
            torch.tensor(np.stack(poses)).float(),
            torch.full((count, 2), focal),
            torch.full((count, 2), side / 2),
            side,
            side,
        )

    return make


@pytest.fixture(scope="session")
def tiny_views(tmp_path_factory, shapes) -> ViewSet:
    folder: Path = tmp_path_factory.mktemp("tiny") / "set"
    return read_views(shapes.write_set(folder, ["ball_red", "box_flat", "box_tall"], views=8, side=16))


@pytest.fixture
def make_fitter(tiny_views) -> Callable[..., PlaneFitter]:
    """New fitters that all start from the same state."""

    def make(space: str = "latent", **changes) -> PlaneFitter:
        """`space`: latent, rgb, or hulls (RGB space with planes that span boxes, and guided samples)."""
        torch.manual_seed(0)
        autoencoder = None
        if space == "latent":
            sizes = CompactConfig(channels=4, stride=4, width=16, encoder_blocks=1, decoder_blocks=1, fine_width=8)
            autoencoder = compact_autoencoder(sizes)
        if space == "hulls":
            space, changes = "rgb", {"span": "box", "hull": 12, "activation": "relu", **changes}
        channels = 3 if autoencoder is None else 4
        generator = torch.Generator().manual_seed(1)
        sizes = {"micro_features": 3, "macro_features": 4, "base_planes": 2, "resolution": 8, "hidden": 8}
        config = FusedPlanesConfig(**{**sizes, **changes}, channels=channels, space=space)
        shared = SharedPart(FusedPlanes(config, generator), autoencoder)
        shared.set_background()
        data = FittingData([load_object(views, SIZE, seed=0, hull=config.hull) for views in tiny_views])
        return PlaneFitter(shared, data, CodeStore(shared.family.new_codes(len(data), generator)), Sampler(4, 4))

    return make


@pytest.fixture(scope="session")
def ball_with_depth(tmp_path_factory, shapes) -> Callable[..., Path]:
    """Writes an object folder of a ball with depth images that are computed, not rendered."""

    def write(radius: float = 0.5, views: int = 16, side: int = 64, center=(0.1, -0.05, 0.0)) -> Path:
        folder = tmp_path_factory.mktemp("ball") / "ball"
        shapes.write(folder, shapes.Shape("ball", (radius,) * 3, center=center), views, side)
        (folder / "depth").mkdir()
        content = json.loads((folder / "transforms.json").read_text()) | {"depth_unit": 1e-4}
        focal = 0.5 * side / np.tan(0.5 * shapes.ANGLE_X)
        row, column = np.mgrid[:side, :side] + 0.5
        local = np.stack([(column - side / 2) / focal, -(row - side / 2) / focal, -np.ones_like(row)], -1)
        for index, frame in enumerate(content["frames"]):
            pose = np.array(frame["transform_matrix"])
            direction = local @ pose[:3, :3].T
            direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
            origin = pose[:3, 3] - center
            middle = -direction @ origin
            rest = radius**2 - (origin @ origin - middle**2)
            depth = np.where(rest > 0, middle - np.sqrt(np.maximum(rest, 0)), 0)
            frame["depth_path"] = f"depth/{index:03d}.png"
            Image.fromarray(np.rint(depth / 1e-4).astype(np.uint16)).save(folder / frame["depth_path"])
        (folder / "transforms.json").write_text(json.dumps(content))
        return folder

    return write
