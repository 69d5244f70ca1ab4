"""Rate-distortion curves of a tiny tensor field, from its run to tables, a chart and deltas."""

import json
import shutil
from types import SimpleNamespace

import pytest

from manyfields.commands import main
from manyfields.errors import ConfigError, RunError
from manyfields.families.tensor_planes.baselines.codec import VqTensorCodec
from manyfields.families.tensor_planes.baselines.vq_file import decode_vq_scene
from manyfields.families.tensor_planes.grids import TensorCodes
from manyfields.runs import fit, rd
from manyfields.runs.rd import sweep
from manyfields.runs.rd.curves import deltas
from manyfields.runs.rd.report import delta_line
from manyfields.runs.rd.source import RdSource
from manyfields.shared_part import SharedPart

PHASE = {"name": "tensors", "steps": 30, "rgb": 1.0, "codes_rate": 0.05, "fields_rate": 0.01, "rays_per_object": 256}
SETTINGS = {
    "tensorf": {"density_components": 4, "appearance_components": 4, "features": 6, "hidden": 16, "first": 16,
                "last": 16, "upsample_at": [], "mask_at": []},
    "hull": 16,
    "sampler": {"guided": 6, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}  # fmt: skip
OBJECT = "ball_red"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, shapes):
    folder = tmp_path_factory.mktemp("rd")
    data = shapes.write_set(folder / "views", [OBJECT])
    (folder / "tiny.json").write_text(json.dumps(SETTINGS))
    fit(data, folder / "run", report=False, config=folder / "tiny.json", preset="tensorf")
    rd(folder / "run", folder / "rd", values=[2, 4], steps=10)
    return folder


@pytest.fixture
def folder(fitted, tmp_path):
    """A copy that a test may change; the views stay where they are."""
    for name in ("run", "rd"):
        shutil.copytree(fitted / name, tmp_path / name)
    return tmp_path


def test_points_are_those_of_the_files(fitted):
    kept = json.loads((fitted / "rd" / "rd.json").read_text())
    points = kept["curves"]["vq-tensorf"]["points"]
    assert [point["value"] for point in points] == [2.0, 4.0]
    source = RdSource.open(fitted / "run")
    for point in points:
        data = (fitted / "rd" / "vq-tensorf" / f"{point['value']:g}" / f"{OBJECT}.mfvt").read_bytes()
        assert point["bytes"] == len(data) == sum(point["parts"].values())
        found = decode_vq_scene(data)
        codes = TensorCodes((found.scene.grids(),))
        scores = source.scores(OBJECT, SharedPart(found.family, None), codes, found.scene.box)
        assert scores.psnr == pytest.approx(point["psnr"], abs=1e-4)
    assert points[0]["bytes"] < points[1]["bytes"] < kept["uncompressed"]["bytes"]
    stored = source.collection.entry(OBJECT).metrics["psnr"]
    assert kept["uncompressed"]["psnr"] == pytest.approx(stored, abs=1e-4)
    # Fine-tuned, a scene loses little against what it was before, which had learned for a few steps only.
    assert points[1]["psnr"] > stored - 1.0
    page = (fitted / "rd" / "report.html").read_text()
    assert "PSNR against bytes" in page and "size, " in page


def test_points_that_are_there_are_not_made_again(folder):
    before = json.loads((folder / "rd" / "rd.json").read_text())
    names = []
    kept = rd(
        folder / "run", folder / "rd", values=[2, 3, 4], steps=10, progress=lambda name, *_, **__: names.append(name)
    )
    points = kept["curves"]["vq-tensorf"]["points"]
    assert [point["value"] for point in points] == [2.0, 3.0, 4.0]
    assert [points[0], points[2]] == before["curves"]["vq-tensorf"]["points"]
    assert set(names) == {f"{OBJECT}: bits of a codebook 3"}
    # Who asks for what is there already has measured nothing.
    rd(folder / "run", folder / "rd", values=[2, 3], steps=10)
    after = json.loads((folder / "rd" / "rd.json").read_text())["curves"]["vq-tensorf"]
    assert len(after["processes"]) == 2 and set(after["processes"][0]) >= {"command", "commit", "machine", "date"}


def test_the_command_prints_curves_and_deltas(folder, capsys):
    words = ["rd", str(folder / "run"), str(folder / "rd"), "--steps", "2", "--label", "short", "--values", "2", "4"]
    assert main([*words, "--method", "pchip"]) == 0
    out = capsys.readouterr().out
    assert "uncompressed" in out and "short" in out and "vq-tensorf" in out
    assert "short against vq-tensorf" in out and "vq-tensorf against short" in out
    assert out.count("(overlap ") == 8 and out.count("By foreground PSNR: ") == 2  # of two pairs, by both
    assert "with the shared part, N = 1" in out and "foreground" in out
    kept = json.loads((folder / "rd" / "rd.json").read_text())
    assert {(row["anchor"], row["test"]) for row in kept["deltas"]} == {
        ("vq-tensorf", "short"),
        ("short", "vq-tensorf"),
    }


def test_fewer_texels_take_fewer_bytes(folder):
    kept = rd(folder / "run", folder / "rd", codec="re-tensorf", values=[0.1, 0.4], steps=10)
    few, more = kept["curves"]["re-tensorf"]["points"]
    assert few["parts"]["kept"] < more["parts"]["kept"] and few["psnr"] < more["psnr"]
    with pytest.raises(ConfigError, match="share of texels left 0.0"):
        rd(folder / "run", folder / "rd", codec="re-tensorf", values=[0.0], steps=10)


def test_a_curve_over_what_is_kept(folder):
    kept = rd(folder / "run", folder / "rd", codec="vq-tensorf-kept", values=[0.1, 0.7], steps=2)
    few, more = kept["curves"]["vq-tensorf-kept"]["points"]
    assert few["parts"]["kept"] < more["parts"]["kept"]
    with pytest.raises(ConfigError, match="kept 1.5"):
        rd(folder / "run", folder / "rd", codec="vq-tensorf-kept", values=[1.5], steps=2)


def test_seconds_are_those_of_all_that_an_object_takes_but_measuring(fitted, tmp_path, monkeypatch):
    now, encode, scores, item, learn = [0.0], VqTensorCodec.encode, RdSource.scores, RdSource.item, VqTensorCodec.learn

    def taking(seconds, work):
        def done(*given):
            now[0] += seconds
            return work(*given)

        return done

    monkeypatch.setattr(sweep, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(VqTensorCodec, "encode", taking(3.0, encode))
    monkeypatch.setattr(RdSource, "scores", taking(100.0, scores))
    monkeypatch.setattr(RdSource, "item", taking(20.0, item))
    monkeypatch.setattr(VqTensorCodec, "learn", taking(0.5, learn))
    made = sweep.Sweep(RdSource.open(fitted / "run"), "vq-tensorf", {"steps": 1})
    point = made.point(2.0, tmp_path, lambda *_, **__: None)
    assert point.seconds == 23.5


def test_some_of_the_views(fitted, tmp_path):
    for views, expected in ((2, ["a", "d"]), (4, ["a", "b", "d", "e"]), (100, [*"abcdef"]), (None, [*"abcdef"])):
        source = RdSource.open(fitted / "run", views=views)
        source.record.held_out[OBJECT]["views"] = [*"abcdef"]
        assert source.measured_views(OBJECT) == expected
    rd(fitted / "run", tmp_path / "rd", values=[2], steps=1, views=1)
    with pytest.raises(RunError, match="of another run, or of other objects or views"):
        rd(fitted / "run", tmp_path / "rd", values=[2], steps=1)
    with pytest.raises(ConfigError, match="views: a number of at least 1, not 0"):
        rd(fitted / "run", tmp_path / "other", views=0)


def test_what_does_not_fit_is_refused(folder):
    with pytest.raises(RunError, match="a curve 'vq-tensorf' that was made otherwise"):
        rd(folder / "run", folder / "rd", values=[2], steps=3)
    with pytest.raises(
        ConfigError, match="codec 'zip': of the family tensorf one of pyramid, transform, .*, vq-tensorf, .*re-tensorf"
    ):
        rd(folder / "run", folder / "rd", codec="zip")
    with pytest.raises(ConfigError, match="no object 'cat'"):
        rd(folder / "run", folder / "rd", objects=["cat"])
    with pytest.raises(ConfigError, match="label 'a/b'"):
        rd(folder / "run", folder / "rd", label="a/b")
    with pytest.raises(ConfigError, match="2.5 is no whole number"):
        rd(folder / "run", folder / "other", values=[2.5])
    kept = json.loads((folder / "rd" / "rd.json").read_text())
    kept["of"]["shared"] = "another"
    (folder / "rd" / "rd.json").write_text(json.dumps(kept))
    with pytest.raises(RunError, match="of another run, or of other objects or views"):
        rd(folder / "run", folder / "rd")


def test_a_run_of_other_fields_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match="codec 'vq-tensorf': of the family fused-planes one of transform, vq"):
        rd(run, tmp_path / "rd")


def test_deltas_say_why_there_are_none():
    points = [{"bytes": 1000.0 * 2**n, "psnr": 30.0 + n} for n in range(4)]
    half = [{"bytes": p["bytes"] / 2, "psnr": p["psnr"]} for p in points]
    rows = deltas(
        {"a": {"points": points}, "b": {"points": half}, "c": {"points": points[:3]}, "d": {"points": []}}, "cubic"
    )
    found = {(row["anchor"], row["test"]): row for row in rows}
    assert len(rows) == 6
    assert found["a", "b"]["bd_rate_percent"] == pytest.approx(-50.0)
    assert found["b", "a"]["bd_rate_percent"] == pytest.approx(100.0)
    assert found["a", "b"]["bd_psnr_db"] == pytest.approx(1.0)
    assert found["a", "b"]["bd_rate_overlap"] == pytest.approx(1.0)
    assert found["a", "b"]["bd_psnr_overlap"] == pytest.approx(2 / 3)  # one of three doublings is not in common
    assert found["a", "c"]["bd_rate_percent"] is None and "'c' has 3 points" in found["a", "c"]["bd_rate_reason"]


def test_curves_of_other_sizes_have_a_rate_and_no_psnr():
    low = [{"bytes": 1000.0 * 2**n, "psnr": 30.0 + n} for n in range(4)]
    high = [{"bytes": 64 * p["bytes"], "psnr": p["psnr"]} for p in low]
    row, _ = deltas({"low": {"points": low}, "high": {"points": high}}, "cubic")
    assert row["bd_rate_percent"] == pytest.approx(6300.0) and row["bd_psnr_db"] is None
    line = delta_line(row)
    assert line.startswith("high against low: BD-rate +6300.00 % (overlap 100 %), BD-PSNR – (overlap 0 %): curves ")
    assert "0 % of the smaller range of log rate in common, and 50 % are needed" in line


def test_deltas_by_foreground_psnr_stand_beside_those_by_psnr():
    points = [{"bytes": 1000.0 * 2**n, "psnr": 30.0 + n, "foreground_psnr": 20.0 + n} for n in range(4)]
    # Half the bytes for the same whole images, of which the foreground has lost something.
    half = [{**p, "bytes": p["bytes"] / 2, "foreground_psnr": p["foreground_psnr"] - 0.5} for p in points]
    row, _ = deltas({"a": {"points": points}, "b": {"points": half}}, "cubic")
    assert row["bd_psnr_db"] == pytest.approx(1.0) and row["foreground_bd_psnr_db"] == pytest.approx(0.5)
    less = 100 * (2**-0.5 - 1)
    assert row["bd_rate_percent"] == pytest.approx(-50.0) and row["foreground_bd_rate_percent"] == pytest.approx(less)
    assert row["foreground_bd_rate_overlap"] == pytest.approx(2.5 / 3) and row["foreground_bd_rate_reason"] is None
    whole, inside = delta_line(row).split(". By foreground PSNR: ")
    assert whole == "b against a: BD-rate -50.00 % (overlap 100 %), BD-PSNR +1.000 dB (overlap 67 %)"
    assert inside == "BD-rate -29.29 % (overlap 83 %), BD-PSNR +0.500 dB (overlap 67 %)"
    half[0]["foreground_psnr"] = None
    row, _ = deltas({"a": {"points": points}, "b": {"points": half}}, "cubic")
    assert not any(name.startswith("foreground") for name in row) and "foreground" not in delta_line(row)
