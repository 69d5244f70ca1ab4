"""A rate-distortion curve of transform coding on a tiny tensor field."""

import json

import pytest
import torch

from manyfields.errors import ConfigError, RunError
from manyfields.families.registry import FAMILIES
from manyfields.families.tensor_planes.transform.stream import part_sizes
from manyfields.fitting.progress import silent
from manyfields.fitting.transform.settings import VARIANTS, TransformSettings
from manyfields.runs import fit, rd
from manyfields.runs.rd.codecs import curve_kinds
from manyfields.runs.rd.network import as_stored
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Sweep

PHASE = {"name": "tensors", "steps": 6, "rgb": 1.0, "codes_rate": 0.05, "fields_rate": 0.01, "rays_per_object": 64}
SETTINGS = {
    "tensorf": {"density_components": 4, "appearance_components": 4, "features": 6, "hidden": 16, "first": 16,
                "last": 16, "upsample_at": [], "mask_at": []},
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}  # fmt: skip
OBJECT = "ball_red"


@pytest.fixture(scope="module")
def run(tmp_path_factory, shapes):
    folder = tmp_path_factory.mktemp("rd-transform")
    data = shapes.write_set(folder / "views", [OBJECT])
    (folder / "tiny.json").write_text(json.dumps(SETTINGS))
    fit(data, folder / "run", report=False, config=folder / "tiny.json", preset="tensorf")
    return folder / "run"


def test_points_are_those_of_the_files(run, tmp_path):
    kept = rd(run, tmp_path / "rd", codec="transform", values=[0.001], steps=2)
    (point,) = kept["curves"]["transform"]["points"]
    folder = tmp_path / "rd" / "transform" / "0.001"
    data, network = (folder / f"{OBJECT}.mftc").read_bytes(), (folder / "network").read_bytes()
    assert point["bytes"] == len(data) + len(network) == sum(point["parts"].values())
    assert point["parts"] == {**part_sizes(data), "network": len(network)}
    assert point["estimated"] >= 0.0 and point["seconds"] > 0.0
    source = RdSource.open(run)
    sweep = Sweep(source, "transform", {"steps": 2})
    codes = sweep.codec_at(0.001, silent).decode([[data]])
    scores = source.scores(OBJECT, sweep.shared, codes, codes.grids[0].box)
    assert scores.psnr == pytest.approx(point["psnr"], abs=1e-4)


def test_hyper_latents_are_counted(run, tmp_path):
    kept = rd(run, tmp_path / "rd", codec="transform-hyperprior", values=[0.001], steps=2)
    (point,) = kept["curves"]["transform-hyperprior"]["points"]
    data = (tmp_path / "rd" / "transform-hyperprior" / "0.001" / f"{OBJECT}.mftc").read_bytes()
    assert point["parts"]["hyper decoder"] == part_sizes(data)["hyper decoder"] > 500
    assert point["bytes"] == sum(point["parts"].values())


@pytest.mark.parametrize("codec", ["transform-vectors-network", "transform-end-to-end"])
def test_a_network_that_learns_is_counted_in_the_place_of_that_of_the_run(codec, run, tmp_path):
    kept = rd(run, tmp_path / "rd", codec=codec, values=[0.001], steps=2)
    (point,) = kept["curves"][codec]["points"]
    folder = tmp_path / "rd" / codec / "0.001"
    data, config = (folder / f"{OBJECT}.mftc").read_bytes(), (folder / "config").read_bytes()
    assert not (folder / "network").exists() and json.loads(config)["family"] == "tensorf"
    assert point["parts"] == {**part_sizes(data), "config": len(config)}
    assert point["bytes"] == len(data) + len(config)
    numbers = as_stored(RdSource.open(run).collection.shared_part)[0].split(b"\n", 1)[1]
    assert part_sizes(data)["own network"] == 1 + len(numbers)


def test_a_codec_that_is_learned_from_another_run(run, tmp_path, shapes):
    data = shapes.write_set(tmp_path / "views", ["box_flat"])
    (tmp_path / "tiny.json").write_text(json.dumps(SETTINGS))
    fit(data, tmp_path / "other", report=False, config=tmp_path / "tiny.json", preset="tensorf")
    choices = {"codec": "transform-pretrained", "learn_steps": 3}
    kept = rd(run, tmp_path / "rd", values=[0.001], learn_from=[tmp_path / "other"], **choices)
    (point,) = kept["curves"]["transform-pretrained"]["points"]
    folder = tmp_path / "rd" / "transform-pretrained" / "0.001"
    (codec,) = folder.glob("codec-*")
    assert point["parts"]["codec"] == codec.stat().st_size and "decoder" not in point["parts"]
    assert point["estimated"] == pytest.approx(point["parts"]["latents"], abs=8)
    assert point["bytes"] == sum(point["parts"].values())
    rd(run, tmp_path / "rd", values=[0.001], learn_from=[tmp_path / "other"], label="steps", steps=2, **choices)
    with pytest.raises(RunError, match="made otherwise"):
        rd(run, tmp_path / "rd", values=[1], learn_from=[tmp_path / "other"], **{**choices, "learn_steps": 4})
    with pytest.raises(ConfigError, match="learn_from: the codec 'transform-pretrained' needs runs of other scenes"):
        rd(run, tmp_path / "rd", codec="transform-pretrained")


def test_the_network_is_that_of_the_run_in_8_bits(run):
    shared = RdSource.open(run).collection.shared_part
    data, decoded = as_stored(shared)
    count = sum(parameter.numel() for parameter in shared.family.parameters())
    assert json.loads(data.split(b"\n")[0])["family"] == "tensorf"
    assert len(data.split(b"\n", 1)[1]) == count + 2 * -(-count // 64)
    for own, before in zip(decoded.family.parameters(), shared.family.parameters(), strict=True):
        largest = max(float(each.abs().max()) for each in shared.family.parameters())
        torch.testing.assert_close(own, before, atol=largest / 200, rtol=0)


def test_both_sides_of_the_comparison_count_the_same(run, tmp_path):
    """All that planes are not: mask, vectors and network, of 8 bits."""
    ours, theirs = (
        Sweep(RdSource.open(run), name, {"steps": 1}).point(value, tmp_path / name, silent).parts
        for name, value in (("transform", 0.001), ("vq-tensorf", 2.0))
    )
    assert ours["alpha mask"] == theirs["mask"]
    (grids,) = RdSource.open(run).collection[OBJECT].code().grids
    numbers = sum(own.numel() for own in (*grids.density.vectors, *grids.appearance.vectors))
    assert ours["vectors"] == numbers + 2 * -(-numbers // 64)
    assert theirs["vectors"] > 0 and 0.5 < theirs["network"] / ours["network"] < 2.0


def test_variants_and_values(run, tmp_path):
    assert {f"transform-{name}" for name in VARIANTS} < set(curve_kinds(FAMILIES["tensorf"].codecs))

    def settings(name: str) -> TransformSettings:
        codec = Sweep(RdSource.open(run), name, {"steps": 2}).codec_at(0.001, silent)
        return TransformSettings(**codec.made["transform"])

    assert settings("transform-gaussian").start == "gaussian"
    assert settings("transform-no-mask").mask is False
    assert settings("transform-no-importance").importance is False
    assert settings("transform-hyperprior").hyperprior is True
    with pytest.raises(ConfigError, match="values: a number of at least 0, not -1.0"):
        rd(run, tmp_path / "rd", codec="transform", values=[-1.0], steps=2)
