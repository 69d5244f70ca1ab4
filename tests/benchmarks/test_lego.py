"""The single-scene benchmark: what it interpolates and compares, and all of it on a tiny scene."""

import json

import pytest

OBJECT = "ball_red"


@pytest.fixture(scope="module")
def rows(load):
    return load("lego_rows")


def points(*pairs: tuple[float, float]) -> list[dict]:
    return [{"bytes": size, "psnr": psnr, "value": size} for size, psnr in pairs]


def test_a_size_between_two_points_is_read_over_the_logarithm_of_bytes(rows):
    curve = points((400.0, 30.0), (100.0, 28.0), (1600.0, 31.0))
    found = rows.psnr_at(curve, 200.0)
    assert found.psnr == pytest.approx(29.0)
    assert [point["bytes"] for point in found.between] == [100.0, 400.0]
    assert rows.psnr_at(curve, 1600.0).psnr == pytest.approx(31.0)
    assert rows.psnr_at(curve, 99.0) is None and rows.psnr_at(curve, 1601.0) is None


def test_points_that_others_beat_are_left_out(rows):
    curve = points((100, 28.0), (400, 30.0), (200, 30.0), (800, 29.9), (200, 29.0))
    assert [(point["bytes"], point["psnr"]) for point in rows.front(curve)] == [(100, 28.0), (200, 30.0)]


def test_bytes_saved_are_the_rate_the_other_way_round(rows):
    with_it = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    without = points(*((2000.0 * 2**n, 30.0 + n) for n in range(4)))
    assert rows.saved_row("lego.x.saved", without, with_it, "note").value == pytest.approx(50.0)
    rate, psnr, overlap = rows.delta_rows("lego.x.{}_vs_y", without, with_it, "note")
    assert (rate.name, psnr.name, overlap.name) == ("lego.x.bd_rate_vs_y", "lego.x.bd_psnr_vs_y", "lego.x.overlap_vs_y")
    assert rate.value == pytest.approx(-50.0) and psnr.value == pytest.approx(1.0) and overlap.value == 100.0


def test_curves_that_cannot_be_compared_say_why(rows):
    few = rows.delta_rows("lego.x.{}_vs_y", points((100, 28.0)), points((100, 28.0), (200, 29.0)), "note")
    assert [row.value for row in few] == [None, None, 0.0]
    assert "1 points" in few[0].note
    # The same PSNR from other bytes, none of which are in common: a rate, but no difference of PSNR at one rate.
    low = points(*((1000.0 * 2**n, 30.0 + n) for n in range(4)))
    high = points(*((64000.0 * 2**n, 30.0 + n) for n in range(4)))
    rate, psnr, overlap = rows.delta_rows("lego.x.{}_vs_y", high, low, "note")
    assert rate.value == pytest.approx(-100 * 63 / 64) and psnr.value is None and overlap.value == 100.0
    assert "do not overlap in rate" in psnr.note
    assert rows.saved_row("lego.x.saved", points((100, 28.0)), points((100, 28.0)), "note").value is None


def test_the_uncompressed_model_is_the_smallest_near_the_best(load):
    lego = load("lego")
    models = [
        lego.Fitted("a", 30.0, 100.0, 1.0),
        lego.Fitted("b", 30.05, 80.0, 1.0),
        lego.Fitted("c", 29.96, 50.0, 1.0),
        lego.Fitted("d", 29.9, 10.0, 1.0),
    ]
    assert lego.uncompressed(models).size == "c"


def test_from_views_to_rows(load, shapes, tmp_path, capsys):
    lego = load("lego")
    data = shapes.write_set(tmp_path / "views", [OBJECT])
    results = tmp_path / "lego.json"
    rest = ["--work", str(tmp_path / "work"), "--data", str(data), "--small", "--results", str(results)]
    lego.main(["fit", *rest, "--steps", "6"])
    assert f"uncompressed: {tmp_path / 'work' / 'tiny'}" in capsys.readouterr().out
    on = [*rest, "--run", str(tmp_path / "work" / "tiny"), "--steps", "2", "--views", "1"]
    lego.main(["curves", *on, "--codecs", "transform"])
    assert "no rows yet" in capsys.readouterr().out
    lego.main(["curves", *on])
    lego.main(["variants", *on])
    found = {row["name"]: row for row in json.loads(results.read_text())}
    kept = json.loads((tmp_path / "work" / "rd-tiny" / "rd.json").read_text())
    point = kept["curves"]["transform"]["points"][0]
    assert found["lego.convolutional.lambda_0_001.bytes"]["value"] == point["bytes"]
    assert found["lego.vq_tensorf.bits_4.psnr"]["value"] == kept["curves"]["vq-tensorf"]["points"][0]["psnr"]
    assert found["lego.transform.step_0_01.bytes"]["value"] == kept["curves"]["pyramid"]["points"][0]["bytes"]
    assert {"lego.re_tensorf.left_0_1.psnr", "lego.convolutional_end_to_end.lambda_0_005.seconds"} <= set(found)
    assert found["lego.uncompressed.bytes"]["value"] == kept["uncompressed"]["bytes"]
    parts = sum(found[f"lego.convolutional.size.{name}"]["value"] for name in ("planes", "decoder", "other"))
    assert parts in [point["bytes"] for point in kept["curves"]["transform"]["points"]]
    # Two steps from zeros leave only zeros, which take no bytes: there is nothing to compare an estimate with.
    assert found["lego.convolutional.estimate_error_percent"]["value"] is None
    assert (
        found["lego.convolutional.loss_db_at_20x"]["value"] is None
    )  # a decoder alone is larger than so small a scene
    assert "1 of" in found["lego.convolutional.seconds_over_fit"]["note"]
