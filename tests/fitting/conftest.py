"""A tiny set in memory and a small autoencoder, for tests of the fitting loop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from manyfields.cameras import Cameras, focal_from_angle
from manyfields.fields import FusedPlanes, FusedPlanesConfig
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, load_object
from manyfields.fitting.fitter import Fitter
from manyfields.latents import SharedPart
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.rendering import Sampler
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
def make_fitter(tiny_views) -> Callable[..., Fitter]:
    """New fitters that all start from the same state."""

    def make(space: str = "latent", **changes) -> Fitter:
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
        return Fitter(shared, data, CodeStore(shared.family.new_codes(len(data), generator)), Sampler(4, 4))

    return make
