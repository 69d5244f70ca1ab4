"""The scripts in examples/ compile, explain themselves, and those that need no data of one's own run."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import manyfields
from manyfields.collection import open_collection
from manyfields.families import registry

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_compiles_and_says_how_to_run_it(path):
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    assert f"python examples/{path.name}" in code.co_consts[0]


def test_an_example_runs_as_a_script():
    name = "fit_a_folder"
    environment = {**os.environ, "PYTHONPATH": str(Path(manyfields.__file__).parents[1]), "COLUMNS": "100"}
    words = [sys.executable, str(EXAMPLES / f"{name}.py"), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"python examples/{name}.py" in done.stdout


def test_compose_the_parts_learns_a_ball(capsys):
    main = runpy.run_path(str(EXAMPLES / "compose_the_parts.py"))["main"]
    before, after = main(size=12, views=6, steps=60, rays_a_step=96)
    assert after > before + 3, "sixty steps should already show the ball to a camera that was not seen"
    assert "unseen camera" in capsys.readouterr().out


def test_a_new_codec_stores_renders_and_is_measured(tmp_path, rgb_run, capsys, monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", dict(registry.FAMILIES))
    module = runpy.run_path(str(EXAMPLES / "new_codec.py"))
    kept = module["main"](rgb_run, tmp_path, values=(3, 8))
    few, more = kept["curves"]["few-bits"]["points"]
    assert few["bytes"] < more["bytes"] < kept["uncompressed"]["bytes"]
    assert abs(more["psnr"] - kept["uncompressed"]["psnr"]) < 0.2
    assert "renders from them" in capsys.readouterr().out
    again = open_collection(tmp_path / "collection")
    assert again.verify() == [] and again.codec.describe() == "Numbers are stored in 6 bits, deflated."
    assert again.properties["compressed"]["few-bits"] == {"bits": 6}


def test_a_new_family_fits_takes_objects_renders_and_is_measured(tmp_path, capsys, monkeypatch):
    pytest.importorskip("vtk")
    monkeypatch.setattr(registry, "FAMILIES", dict(registry.FAMILIES))
    main = runpy.run_path(str(EXAMPLES / "new_family.py"))["main"]
    scores = main(tmp_path, objects=4, views=8, size=16, latent=6, width=16, octaves=3)
    assert len(scores["objects"]) == 4 and scores["mean"]["psnr"] > 5.0
    assert "was added: 12 bytes" in capsys.readouterr().out  # six numbers of 16 bits
    again = open_collection(tmp_path / "run")
    assert again.verify() == [] and again.shared_part.family.config.latent == 6
