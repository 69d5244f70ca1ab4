"""Stills, sheets and films of a stored object."""

import numpy as np
import pytest
from PIL import Image

from manyfields.collection import open_collection
from manyfields.errors import CollectionError, ConfigError
from manyfields.runs import render_object
from manyfields.runs.pictures import contact_sheet, orbit_views


@pytest.mark.parametrize(("views", "size"), [(1, (32, 32)), (4, (64, 64)), (5, (96, 64))])
def test_stills_and_sheets(run, tmp_path, views, size):
    render_object(run, "ball_red", tmp_path / "new" / "a.png", size=32, views=views)
    image = Image.open(tmp_path / "new" / "a.png")
    assert image.size == size and image.mode == "RGB"
    first = orbit_views(open_collection(run), "ball_red", 32, views)[0]
    assert np.array_equal(np.asarray(image)[:32, :32], first)


def test_jpeg(run, tmp_path):
    render_object(run, "ball_red", tmp_path / "a.jpg", size=16)
    assert Image.open(tmp_path / "a.jpg").format == "JPEG"


def test_layer_0_looks_different(run):
    collection = open_collection(run)
    whole, coarse = (orbit_views(collection, "box_flat", 32, 1, level=level) for level in (None, 1))
    assert not np.array_equal(whole, coarse)


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif"])
def test_films(run, tmp_path, ending):
    imageio = pytest.importorskip("imageio.v3")
    pytest.importorskip("imageio_ffmpeg")
    render_object(run, "box_tall", tmp_path / f"a{ending}", size=32, views=6)
    frames = np.stack([frame[..., :3] for frame in imageio.imiter(tmp_path / f"a{ending}")])
    assert frames.shape == (6, 32, 32, 3)
    expected = orbit_views(open_collection(run), "box_tall", 32, 6).astype(float)
    assert np.abs(frames - expected).mean() < 12
    assert [path.name for path in tmp_path.glob("*a*")] == [f"a{ending}"]


@pytest.mark.parametrize("name", ["a.tiff", "a"])
def test_endings_that_cannot_be_written(run, tmp_path, name):
    with pytest.raises(ConfigError, match=r"use \.png, \.jpg"):
        render_object(run, "ball_red", tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": 20}, "size 20 does not divide by 8"), ({"size": 0}, "at least"), ({"size": 16, "views": 0}, "at least")],
)
def test_sizes_that_cannot_be_rendered(run, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        render_object(run, "ball_red", tmp_path / "a.png", **options)


def test_an_object_that_is_not_there(run, tmp_path):
    with pytest.raises(CollectionError, match="teapot"):
        render_object(run, "teapot", tmp_path / "a.png", size=16)


def test_sheets_are_filled_up_with_white():
    images = np.zeros((5, 2, 3, 3), np.uint8)
    sheet = contact_sheet(images)
    assert sheet.shape == (4, 9, 3) and (sheet[2:, 6:] == 255).all() and not sheet[:2].any() and not sheet[2:, :6].any()
