"""Runs of factor fields in transform coding: collections like any other, in fewer bytes; and curves."""

import json
from pathlib import Path

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
from manyfields.runs import add, compress, evaluate, fit, rd

PHASE = {"name": "factors", "steps": 6, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01, "rays_per_object": 64}
TINY = {
    "preset": "factor-fields",
    "factor": {
        "sides": [12, 17],
        "widths": [2, 1],
        "frequencies": [1.0, 2.5],
        "coefficients": 6,
        "projection": 8,
        "features": 6,
        "hidden": 16,
        "mask_at": [0.5],
    },
    "hull": 16,
    "sampler": {"guided": 4, "bins": 16},
    "final_sampler": {"guided": 4, "bins": 16},
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}
CHOICES = {"codec": "transform", "steps": 3, "changes": {"latent": 6, "hidden": 5, "rays": 32}}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, shapes) -> Path:
    folder = tmp_path_factory.mktemp("factors")
    data = shapes.write_set(folder / "views", ["ball_red", "box_flat"])
    (folder / "tiny.json").write_text(json.dumps(TINY))
    fit(data, folder / "run", config=folder / "tiny.json", report=False)
    return folder / "run"


def test_scenes_decode_and_render_from_fewer_bytes(fitted, tmp_path, new_data):
    after, before = compress(fitted, tmp_path / "out", **CHOICES), open_collection(fitted)
    assert after.ids == before.ids and after.shared_hash == before.shared_hash
    assert after.verify() == [] and isinstance(after.codec, FactorTransformCodec)
    for name in before:
        old, new = before.entry(name), after.entry(name)
        assert new.bytes < 0.6 * old.bytes
        assert sum(after.codec.part_sizes(after.layers(name)).values()) == new.bytes
    seen = open_collection(tmp_path / "out")["ball_red"].render(orbit(2, width=8, height=8))
    assert seen.images.shape == (1, 2, 3, 8, 8) and bool(torch.isfinite(seen.images).all())
    for name, scores in evaluate(tmp_path / "out")["objects"].items():
        assert scores["psnr"] == pytest.approx(after.entry(name).metrics["psnr"], abs=1e-4)
    assert "Basis grids are stored by transform coding" in (tmp_path / "out" / "report.html").read_text()
    added = add(tmp_path / "out", new_data, report=False)
    assert added.verify() == [] and added.layers("box_wide")[0][:4] == b"MFTF"


def test_the_command(fitted, tmp_path, capsys):
    flags = ["--codec", "transform", "--lambda", "0.01", "--steps", "1"]
    assert main(["compress", str(fitted), str(tmp_path / "out"), *flags]) == 0
    made = open_collection(tmp_path / "out").properties["compressed"]["transform"]
    assert (made["price"], made["steps"], made["latent"]) == (0.01, 1, 64)
    shown = capsys.readouterr().out
    assert "2 objects" in shown and "bytes of a scene: header 104 B" in shown and "coefficients" in shown


def test_a_curve_has_the_bytes_of_its_files(fitted, tmp_path):
    kept = rd(fitted, tmp_path / "rd", codec="transform", values=[0.001], steps=2, objects=["ball_red"])
    (point,) = kept["curves"]["transform"]["points"]
    folder = tmp_path / "rd" / "transform" / "0.001"
    data, network = (folder / "ball_red.mftf").read_bytes(), (folder / "network").read_bytes()
    assert point["bytes"] == len(data) + len(network) / 2 == sum(point["parts"].values())


def test_choices_that_do_not_fit(fitted, tmp_path):
    with pytest.raises(ConfigError, match="hyperprior: transform coding of factor fields does not have it"):
        compress(fitted, tmp_path / "out", **CHOICES, variants=("hyperprior",))
    with pytest.raises(ConfigError, match="codec 'transform' has no setting 'learn_from'"):
        compress(fitted, tmp_path / "out", **CHOICES, learn_from=(fitted,))
    with pytest.raises(ConfigError, match="codec 'vq': of the family factor-fields one of transform"):
        compress(fitted, tmp_path / "out", codec="vq")
    with pytest.raises(
        ConfigError, match="codec 'vq-tensorf': of the family factor-fields one of transform, transform-no-mask"
    ):
        rd(fitted, tmp_path / "rd", codec="vq-tensorf", values=[4])
    with pytest.raises(ConfigError, match="codec 'transform-hyperprior': of the family factor-fields"):
        rd(fitted, tmp_path / "rd", codec="transform-hyperprior", values=[4])
