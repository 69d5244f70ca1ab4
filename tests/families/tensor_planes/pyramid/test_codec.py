"""Runs of tensor fields as pyramids of latents: what tensor planes are compressed to when nothing else is asked for."""

import json

import pytest

from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
from manyfields.runs import RunRecord, add, compress, evaluate, fit, rd, size_breakdown

PHASE = {"name": "tensors", "steps": 90, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01, "rays_per_object": 256}
SETTINGS = {
    "tensorf": {"density_components": 4, "appearance_components": 4, "features": 6, "hidden": 16, "first": 16,
                "last": 24, "upsample_at": [0.5], "mask_at": []},
    "hull": 16,
    "sampler": {"guided": 8, "bins": 16},
    "final_sampler": {"guided": 8, "bins": 16},
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}  # fmt: skip
SMALL = {"draws": 2, "rays": 64, "levels": 2, "price": 0.05}


@pytest.fixture(scope="module")
def seen_run(tmp_path_factory, shapes):
    """A fit that has got so far that something is seen."""
    folder = tmp_path_factory.mktemp("pyramid")
    data = shapes.write_set(folder / "views", ["ball_red"])
    (folder / "tiny.json").write_text(json.dumps(SETTINGS))
    fit(data, folder / "run", report=False, config=folder / "tiny.json", preset="tensorf")
    return folder / "run"


def test_a_run_is_compressed_measured_and_added_to(seen_run, new_data, tmp_path):
    told = []
    made = compress(seen_run, tmp_path / "out", **SMALL, progress=lambda *what, **_: told.append(what))
    views = sum(len(each["views"]) for each in RunRecord.load(seen_run).held_out.values())
    measured = [what for what in told if what[0] == "measuring held-out views"]
    assert measured == [("measuring held-out views", number + 1, views) for number in range(views)] and views > 0
    assert isinstance(made.codec, PyramidCodec) and made.properties["compressed"]["pyramid"]["price"] == 0.05
    before = open_collection(seen_run)
    assert made.shared_hash == before.shared_hash
    for name in before.ids:
        assert made.entry(name).bytes < 0.4 * before.entry(name).bytes
        assert sum(size_breakdown(made).values()) > 0
        one, two = (each[name].render(orbit(1, width=16, height=16)).images for each in (before, made))
        assert float((one - two).square().mean()) < 0.01
    assert made.entry(before.ids[0]).metrics["psnr"] > before.entry(before.ids[0]).metrics["psnr"] - 3
    again = compress(seen_run, tmp_path / "out", **SMALL)
    assert again.ids == made.ids
    evaluate(tmp_path / "out")
    assert "pyramids of 2 levels of latents, steps of 0.05" in (tmp_path / "out" / "report.html").read_text()
    larger = add(tmp_path / "out", new_data)
    assert len(larger) > len(made) and isinstance(larger.codec, PyramidCodec)
    assert RunRecord.load(tmp_path / "out").finished


def test_the_command_tells_the_parts(seen_run, tmp_path, capsys):
    assert main(["compress", str(seen_run), str(tmp_path / "out"), "--codec", "pyramid", "--lambda", "0.02"]) == 0
    told = capsys.readouterr().out
    assert "bytes of a scene: header" in told and "gains" in told and "mixes" in told


def test_a_curve_is_measured_from_files(seen_run, tmp_path):
    kept = rd(seen_run, tmp_path / "rd", codec="pyramid", values=[0.002, 0.05], views=1)
    first, second = kept["curves"]["pyramid"]["points"]
    assert first["bytes"] > second["bytes"] and first["psnr"] > second["psnr"] - 0.2
    (name,) = kept["of"]["objects"][:1]
    file = tmp_path / "rd" / "pyramid" / "0.002" / f"{name}.mftp"
    assert sum(size for part, size in first["parts"].items() if part != "config") == pytest.approx(
        sum(each.stat().st_size for each in file.parent.glob("*.mftp")) / len(kept["of"]["objects"])
    )


def test_what_does_not_fit_is_named(seen_run, tmp_path):
    with pytest.raises(ConfigError, match="codec 'pyramid' has no setting 'steps': it has price, levels"):
        rd(seen_run, tmp_path / "rd", codec="pyramid", steps=5)
    with pytest.raises(ConfigError, match="step 1e-09: latents of up to"):
        compress(seen_run, tmp_path / "out", price=1e-9)
