"""Priors of a finished run: trained, gone on with, sampled from, and what goes wrong."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from manyfields.collection import open_collection
from manyfields.compression import RawCodec
from manyfields.errors import CollectionError, ConfigError, RunError
from manyfields.generation import PriorSettings
from manyfields.generation import learning as learning_module
from manyfields.runs import interpolate, sample, train_prior
from manyfields.runs.prior import CHECKPOINT, held_out_ids, open_prior

pytest.importorskip("diffusers")
pytest.importorskip("scipy")
TINY = PriorSettings(width=16, blocks=1, steps=20, batch=4)


@pytest.fixture
def trained(rgb_run):
    """A run with a prior."""
    train_prior(rgb_run, TINY)
    return rgb_run


def test_samples_are_objects_of_a_collection_like_any_other(trained, tmp_path):
    before = open_collection(trained)
    made = sample(trained, tmp_path / "new", count=3, seed=1, size=32)
    assert made.ids == ["sample-1-00000", "sample-1-00001", "sample-1-00002"]
    assert made.verify() == [] and made.shared_hash == before.shared_hash
    entry = made.entry(made.ids[0])
    assert len(entry.ranges) == 3 and entry.metrics["nearest"] >= 0
    assert isinstance(made.codec, RawCodec) and made.properties["sampled"]["seed"] == 1
    sheet = np.asarray(Image.open(tmp_path / "new" / "samples.png"))
    assert sheet.shape == (64, 64, 3) and sheet[:32, :32].std() > 0
    assert open_collection(trained).verify() == []


def test_the_same_seed_gives_the_same_prior_and_samples(trained, tmp_path):
    name = next(trained.glob("prior-*.safetensors")).name
    assert train_prior(trained, TINY).name == name
    assert train_prior(trained, PriorSettings(width=16, blocks=1, steps=20, batch=4, seed=1)).name != name
    first, again, other = (
        sample(trained, tmp_path / f"s{number}", count=2, seed=seed, size=16) for number, seed in enumerate((1, 1, 2))
    )
    layers = [[each.layers(name) for name in each.ids] for each in (first, again, other)]
    assert layers[0] == layers[1] != layers[2]


def test_goes_on_where_it_was_killed(rgb_run, monkeypatch):
    whole = train_prior(rgb_run, TINY).read_bytes()
    monkeypatch.setattr(learning_module, "CHECKPOINT_SECONDS", 0.0)

    def kill(phase, done, total, **figures):
        if phase == "learning" and done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_prior(rgb_run, TINY, progress=kill)
    assert (rgb_run / CHECKPOINT).exists()
    steps = []
    path = train_prior(rgb_run, TINY, resume=True, progress=lambda phase, done, total, **_: steps.append((phase, done)))
    assert [done for phase, done in steps if phase == "learning"][0] == 12
    assert path.read_bytes() == whole and not (rgb_run / CHECKPOINT).exists()


def test_layer_0_alone(rgb_run, tmp_path):
    train_prior(rgb_run, PriorSettings(width=16, blocks=1, steps=20, batch=4, level=1))
    made = sample(rgb_run, tmp_path / "new", count=2, size=16)
    code = made[made.ids[0]].code()
    assert len(made.entry(made.ids[0]).ranges) == 2
    assert not code.tensors["micro"].any() and 0 < code.tensors["hull"].float().mean() < 1


@pytest.mark.parametrize("way", ["gaussian", "neighbours"])
def test_other_ways_to_draw(trained, tmp_path, way):
    assert len(sample(trained, tmp_path / way, count=2, size=16, way=way)) == 2


def test_films(trained, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    sample(trained, tmp_path / "new", count=2, size=16, films=1)
    assert [path.name for path in (tmp_path / "new").glob("*.mp4")] == ["sample-0-00000.mp4"]


def test_no_prior(rgb_run, tmp_path):
    with pytest.raises(RunError, match=r"no prior is trained; do that with: manyfields prior .*rgb-run"):
        sample(rgb_run, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_prior_of_another_shared_part(trained, run, tmp_path):
    (prior,) = trained.glob("prior-*.safetensors")
    shutil.copy(prior, run / prior.name)
    with pytest.raises(ConfigError, match="draws codes of the shared part [0-9a-f]{16}, and .* has [0-9a-f]{16}"):
        sample(run, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_labels_and_counts_that_have_no_meaning(trained, tmp_path):
    with pytest.raises(ConfigError, match="have no labels"):
        sample(trained, tmp_path / "new", label="vehicle")
    with pytest.raises(ConfigError, match="at least 1"):
        sample(trained, tmp_path / "new", count=0)
    with pytest.raises(ConfigError, match="spread -1, 4 candidates: at least 0, and at least 1"):
        sample(trained, tmp_path / "new", spread=-1.0)
    assert not (tmp_path / "new").exists()
    sample(trained, tmp_path / "new", count=1, size=16)
    with pytest.raises(CollectionError, match="holds a collection already"):
        sample(trained, tmp_path / "new", count=1, size=16)


def test_too_few_objects(rgb_run):
    with pytest.raises(RunError, match="2 objects are too few for a prior; it needs at least 3"):
        train_prior(rgb_run, PriorSettings(held_out=0.5))


def test_codes_that_have_no_one_shape(tensor_run):
    with pytest.raises(ConfigError, match="octrees and scenes of grids have none"):
        train_prior(tensor_run, TINY)


def test_groups_are_held_out_whole(rgb_run):
    collection = open_collection(rgb_run)
    held = held_out_ids(collection, 0.5, seed=0)
    assert len(held) == 2 and held == held_out_ids(collection, 0.5, seed=0)
    assert held_out_ids(collection, 0.0, seed=0) == []
    train_prior(rgb_run, PriorSettings(width=16, blocks=1, steps=5, batch=4, held_out=0.25))
    prior = open_prior(collection)
    assert sorted(prior.ids + prior.held_out) == sorted(collection.ids) and len(prior.held_out) == 1


def test_in_latent_space(run, tmp_path):
    train_prior(run, TINY)
    made = sample(run, tmp_path / "new", count=1, size=20)
    assert made.verify() == [] and Image.open(tmp_path / "new" / "samples.png").size == (16, 16)


IDS = ["ball_blue", "ball_red", "box_flat", "box_tall"]


def test_a_grid_between_four(rgb_run, tmp_path):
    interpolate(rgb_run, IDS, tmp_path / "grid.png", side=3, size=32)
    grid = np.asarray(Image.open(tmp_path / "grid.png")).astype(float).reshape(3, 32, 3, 32, 3).swapaxes(1, 2)
    assert grid.shape == (3, 3, 32, 32, 3)
    for row, column, name in ((0, 0, 0), (0, 2, 1), (2, 0, 2), (2, 2, 3)):
        interpolate(rgb_run, [IDS[name], IDS[name - 1]], tmp_path / "row.png", side=2, size=32)
        alone = np.asarray(Image.open(tmp_path / "row.png")).astype(float)[:, :32]
        assert np.abs(grid[row, column] - alone).max() == 0
    assert np.abs(grid[1, 1] - grid[0, 0]).mean() > 0


def test_objects_that_are_not_there(rgb_run, tmp_path):
    with pytest.raises(CollectionError, match="holds no object 'ball_rde'; like it are ball_red"):
        interpolate(rgb_run, ["ball_blue", "ball_rde"], tmp_path / "a.png")
    with pytest.raises(CollectionError, match="`manyfields info .*` lists what there is"):
        interpolate(rgb_run, ["ball_blue", "QQQQ"], tmp_path / "a.png")
    with pytest.raises(ConfigError, match="3 objects: give two for a row, or four for a grid"):
        interpolate(rgb_run, IDS[:3], tmp_path / "a.png")
    with pytest.raises(ConfigError, match="at least 2"):
        interpolate(rgb_run, IDS, tmp_path / "a.png", side=1)


def test_codes_are_mixed_between_two(rgb_run):
    """The middle of a row has the mean of the weights."""
    from manyfields.families.registry import parts_of
    from manyfields.runs.prior import codes_and_boxes

    collection = open_collection(rgb_run)
    codes, boxes = codes_and_boxes(collection, IDS[:2])
    parts = parts_of(collection.shared_part)
    known = parts.of(codes, boxes)
    middle, _ = parts.codes({name: values.mean(0, keepdim=True) for name, values in known.items()})
    assert torch.allclose(middle.tensors["weights"], codes.tensors["weights"].mean(0, keepdim=True))
