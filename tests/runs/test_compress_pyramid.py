"""Runs of tensor fields as pyramids of latents: what tensor planes are compressed to when nothing else is asked for."""

import pytest

from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.compression import PyramidCodec
from manyfields.errors import ConfigError
from manyfields.runs import RunRecord, add, compress, evaluate, rd
from manyfields.runs.compress_pyramid import pyramid_settings
from manyfields.runs.compress_transform import size_breakdown

SMALL = {"draws": 2, "rays": 64, "levels": 2, "price": 0.05}


def test_a_run_is_compressed_measured_and_added_to(tensor_run, new_data, tmp_path):
    made = compress(tensor_run, tmp_path / "out", transform=SMALL)
    assert isinstance(made.codec, PyramidCodec) and made.properties["compressed"]["pyramid"]["price"] == 0.05
    before = open_collection(tensor_run)
    assert made.shared_hash == before.shared_hash
    for name in before.ids:
        assert made.entry(name).bytes < 0.4 * before.entry(name).bytes
        assert sum(size_breakdown(made).values()) > 0
        one, two = (each[name].render(orbit(1, width=16, height=16)).images for each in (before, made))
        assert float((one - two).square().mean()) < 0.01
    assert made.entry(before.ids[0]).metrics["psnr"] > before.entry(before.ids[0]).metrics["psnr"] - 3
    again = compress(tensor_run, tmp_path / "out", transform=SMALL)
    assert again.ids == made.ids
    evaluate(tmp_path / "out")
    assert "pyramids of 2 levels of latents, steps of 0.05" in (tmp_path / "out" / "report.html").read_text()
    larger = add(tmp_path / "out", new_data)
    assert len(larger) > len(made) and isinstance(larger.codec, PyramidCodec)
    assert RunRecord.load(tmp_path / "out").finished


def test_the_command_tells_the_parts(tensor_run, tmp_path, capsys):
    assert main(["compress", str(tensor_run), str(tmp_path / "out"), "--lambda", "0.02", "--threads", "1"]) == 0
    told = capsys.readouterr().out
    assert "bytes of a scene: header" in told and "gains" in told and "mixes" in told


def test_a_curve_is_measured_from_files(tensor_run, tmp_path):
    kept = rd(tensor_run, tmp_path / "rd", codec="pyramid", values=[0.0005, 0.02], views=1)
    first, second = kept["curves"]["pyramid"]["points"]
    assert first["bytes"] > second["bytes"] and first["psnr"] > second["psnr"] - 0.2
    (name,) = kept["of"]["objects"][:1]
    file = tmp_path / "rd" / "pyramid" / "0.0005" / f"{name}.mftp"
    assert sum(size for part, size in first["parts"].items() if part != "config") == pytest.approx(
        sum(each.stat().st_size for each in file.parent.glob("*.mftp")) / len(kept["of"]["objects"])
    )


def test_what_does_not_fit_is_named(tensor_run, tmp_path):
    with pytest.raises(ConfigError, match="nothing learns in a pyramid"):
        rd(tensor_run, tmp_path / "rd", codec="pyramid", steps=5)
    with pytest.raises(ConfigError, match="pyramid .*'nonsense'"):
        pyramid_settings(None, {"nonsense": 1})
    with pytest.raises(ConfigError, match="step 1e-09: latents of up to"):
        compress(tensor_run, tmp_path / "out", price=1e-9)
