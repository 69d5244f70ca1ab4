"""Runs of tensor fields in transform coding: collections like any other, in fewer bytes."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

import manyfields
from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import CollectionError, ConfigError, RunError
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.stream import part_sizes
from manyfields.fitting.transform.settings import VARIANTS, Variant
from manyfields.runs import RunRecord, add, compress, evaluate, size_breakdown

CHOICES = {"codec": "transform", "steps": 3, "changes": {"latent": 6, "hidden": 5, "rays": 32}}


@pytest.fixture(scope="module")
def _small(tmp_path_factory, tensor_run) -> Path:
    out = tmp_path_factory.mktemp("coded") / "out"
    compress(tensor_run, out, **CHOICES)
    return out


@pytest.fixture
def small(tmp_path, _small) -> Path:
    shutil.copytree(_small, tmp_path / "small")
    return tmp_path / "small"


def test_scenes_decode_and_render_from_fewer_bytes(tensor_run, small):
    before, after = open_collection(tensor_run), open_collection(small)
    assert after.ids == before.ids and after.shared_hash == before.shared_hash
    assert after.verify() == [] and isinstance(after.codec, TransformCodec)
    for name in before:
        old, new = before.entry(name), after.entry(name)
        assert new.bytes < 0.5 * old.bytes
        assert sum(part_sizes(after.layers(name)[0]).values()) == new.bytes
        assert set(new.metrics) == set(old.metrics) and (new.bounds == old.bounds).all()
    seen = after[before.ids[0]].render(orbit(2, width=8, height=8))
    assert seen.images.shape == (1, 2, 3, 8, 8) and bool(torch.isfinite(seen.images).all())


def test_bytes_by_part(small):
    collection = open_collection(small)
    parts = size_breakdown(collection)
    shared = next(small.glob("shared-*")).stat().st_size
    assert parts.pop("network") == shared / 4
    assert sum(parts.values()) == pytest.approx(sum(collection.entry(name).bytes for name in collection) / 4)


def test_figures_report_and_info(small, capsys):
    figures = evaluate(small)
    collection = open_collection(small)
    for name, scores in figures["objects"].items():
        assert scores["psnr"] == pytest.approx(collection.entry(name).metrics["psnr"], abs=1e-4)
    report = (small / "report.html").read_text()
    assert "stored by transform coding: 6 channels of latents" in report
    assert report.count("latents that are stored: planes") == report.count("importance of texels: planes") == 8
    assert RunRecord.load(small).seconds["compress"] > 0
    assert main(["info", str(small)]) == 0 and main(["verify", str(small)]) == 0
    assert "transform" in capsys.readouterr().out


def test_added_scenes_are_stored_in_the_same_codec(small, new_data, hashes):
    before = hashes(small)
    collection = add(small, new_data, report=False)
    assert hashes(small).items() >= {name: each for name, each in before.items() if name != "collection.json"}.items()
    assert collection.verify() == []
    assert collection.layers("box_wide")[0][:4] == b"MFTC"


def test_scenes_with_networks_of_their_own(tensor_run, small, tmp_path, new_data):
    """Everything that renders them does so with these."""
    made = compress(tensor_run, tmp_path / "own", report=False, variants=("end-to-end", "hyperprior"), **CHOICES)
    assert made.shared_hash == open_collection(tensor_run).shared_hash and made.verify() == []
    figures, numbers = evaluate(tmp_path / "own"), []
    for name, scores in figures["objects"].items():
        assert scores["psnr"] == pytest.approx(made.entry(name).metrics["psnr"], abs=1e-4)
        numbers.append(made[name].code().grids[0].network)
    assert not torch.equal(numbers[0], numbers[1])
    sizes = size_breakdown(made)
    assert sizes["own network"] > 500 and sizes["hyper decoder"] > 50
    item = made[made.ids[0]]
    code = item.code().grids[0]
    field = made.shared_part.family.field(TensorCodes((code,)))
    points = torch.rand(1, 9, 3) - 0.5
    without = made.shared_part.family.field(TensorCodes((replace(code, network=None),)))
    assert not torch.allclose(field.colors(points, points), without.colors(points, points))
    assert bool(torch.isfinite(item.render(orbit(1, width=8, height=8)).images).all())
    assert add(tmp_path / "own", new_data, report=False)["box_wide"].code().grids[0].network is not None


def test_the_same_call_goes_on_where_it_was_cut(tensor_run, small, tmp_path, hashes):
    class Cut(BaseException):
        pass

    def cut(name, done, total, **_):
        if name == "compressing" and done == 2:
            raise Cut

    with pytest.raises(Cut):
        compress(tensor_run, tmp_path / "cut", report=False, progress=cut, **CHOICES)
    assert len(open_collection(tmp_path / "cut")) == 2
    whole = compress(tensor_run, tmp_path / "cut", report=False, **CHOICES)
    stored = open_collection(small)
    assert [whole.layers(name) for name in whole.ids] == [stored.layers(name) for name in stored.ids]


def test_another_process_with_more_threads_sees_the_same_picture(small):
    program = (
        "import sys, torch; torch.set_num_threads(2)\n"
        "from manyfields.cameras import orbit; from manyfields.collection import open_collection\n"
        "item = open_collection(sys.argv[1])['ball_red']\n"
        "torch.save((item.code().grids[0].tensors, item.render(orbit(1, width=16, height=16)).images), sys.argv[2])\n"
    )
    out = small.parent / "seen.pt"
    subprocess.run(
        [sys.executable, "-c", program, str(small), str(out)],
        check=True,
        env={"PYTHONPATH": str(Path(manyfields.__file__).parents[1]), "OMP_NUM_THREADS": "2", "PATH": ""},
    )
    grids, images = torch.load(out, weights_only=True)
    item = open_collection(small)["ball_red"]
    assert all(torch.equal(own, other) for own, other in zip(item.code().grids[0].tensors, grids, strict=True))
    torch.testing.assert_close(item.render(orbit(1, width=16, height=16)).images, images, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"size": "XL"}, "size 'XL': one of S, H, L"),
        ({"variants": ("bold",)}, "variant 'bold': of no-mask, no-importance"),
        ({"price": -1.0}, "lambda: a number of at least 0, not -1.0"),
        ({"steps": 0}, "steps 0"),
        ({"changes": {"depth": 3}}, "transform .*'depth'"),
    ],
)
def test_choices_without_meaning(tensor_run, tmp_path, choices, message):
    with pytest.raises(ConfigError, match=message) as caught:
        compress(tensor_run, tmp_path / "out", **{**CHOICES, **choices})
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_runs_that_do_not_fit(tensor_run, small, tmp_path):
    with pytest.raises(ConfigError, match="codec 'vq': of the family tensorf one of pyramid, transform"):
        compress(tensor_run, tmp_path / "out", codec="vq")
    with pytest.raises(RunError, match="is compressed already"):
        compress(small, tmp_path / "out", **CHOICES)
    with pytest.raises(RunError, match="holds another collection"):
        compress(tensor_run, small, **{**CHOICES, "steps": 4})
    run = tmp_path / "run"
    shutil.copytree(tensor_run, run)
    record = RunRecord.load(run)
    record.data = [str(tmp_path / "gone")]
    record.save(run)
    with pytest.raises(ConfigError, match="learns from the views that objects were fitted to"):
        compress(run, tmp_path / "out", **CHOICES)


def test_a_damaged_scene_is_named(small):
    path = sorted(small.glob("codes-*"))[-1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    collection = open_collection(small)
    assert any(path.name in problem for problem in collection.verify())
    with pytest.raises(CollectionError, match="box_tall|CRC32C"):
        collection[collection.ids[-1]].code()


def test_flags_are_those_there_are():
    assert set(get_args(Variant)) == set(VARIANTS)


def test_the_command(tensor_run, tmp_path, capsys):
    flags = ["--codec", "transform", "--lambda", "0.01", "--steps", "1", "--variants", "no-mask", "no-importance"]
    assert main(["compress", str(tensor_run), str(tmp_path / "out"), *flags]) == 0
    made = open_collection(tmp_path / "out").properties["compressed"]["transform"]
    assert (made["price"], made["steps"], made["latent"], made["mask"], made["importance"]) == (
        0.01,
        1,
        64,
        False,
        False,
    )
    shown = capsys.readouterr().out
    assert "4 objects" in shown and "bytes of a scene: header 160 B" in shown and "network" in shown
