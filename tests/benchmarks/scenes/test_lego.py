"""The benchmark of one captured scene, all of it on a tiny one."""

import json

from benchmarks.scenes import lego

OBJECT = "ball_red"


def test_the_uncompressed_model_is_the_smallest_near_the_best():
    models = [
        lego.Fitted("a", {"psnr": 30.0}, 100.0, 1.0),
        lego.Fitted("b", {"psnr": 30.05}, 80.0, 1.0),
        lego.Fitted("c", {"psnr": 29.96}, 50.0, 1.0),
        lego.Fitted("d", {"psnr": 29.9}, 10.0, 1.0),
    ]
    assert lego.uncompressed(models).size == "c"


def test_from_views_to_rows(shapes, tmp_path, capsys):
    data = shapes.write_set(tmp_path / "views", [OBJECT])
    results = tmp_path / "lego.json"
    rest = ["--work", str(tmp_path / "work"), "--data", str(data), "--small", "--results", str(results), "--draft"]
    lego.main(["fit", *rest, "--steps", "6"])
    assert f"uncompressed: {tmp_path / 'work' / 'tiny'}" in capsys.readouterr().out
    on = [*rest, "--run", str(tmp_path / "work" / "tiny"), "--steps", "2", "--views", "1"]
    lego.main(["curves", *on, "--codecs", "transform"])
    alone = capsys.readouterr().out
    assert "lego.transform.lambda_0_001.foreground_psnr" in alone and "lego.pyramid" not in alone
    lego.main(["curves", *on, "--codecs", *lego.CURVES])
    lego.main(["variants", *on])
    found = {row["name"]: row for row in json.loads(results.with_suffix(".draft.json").read_text())}
    kept = json.loads((tmp_path / "work" / "rd-tiny" / "rd.json").read_text())
    point = kept["curves"]["transform"]["points"][0]
    assert found["lego.transform.lambda_0_001.bytes"]["value"] == point["bytes"]
    assert found["lego.vq_tensorf.bits_4.psnr"]["value"] == kept["curves"]["vq-tensorf"]["points"][0]["psnr"]
    assert found["lego.pyramid.step_0_01.bytes"]["value"] == kept["curves"]["pyramid"]["points"][0]["bytes"]
    assert {"lego.re_tensorf.left_0_1.psnr", "lego.transform_end_to_end.lambda_0_005.seconds"} <= set(found)
    assert found["lego.uncompressed.bytes"]["value"] == kept["uncompressed"]["bytes"]
    parts = sum(found[f"lego.transform.size.{name}"]["value"] for name in ("planes", "decoder", "other"))
    assert parts in [point["bytes"] for point in kept["curves"]["transform"]["points"]]
    # Two steps from zeros leave only zeros, which take no bytes: there is nothing to compare an estimate with.
    assert found["lego.transform.estimate_error_percent"]["value"] is None
    # A decoder alone is larger than so small a scene.
    assert found["lego.transform.loss_db_at_20x"]["value"] is None
    assert found["lego.transform.foreground_loss_db_at_20x"]["value"] is None
    assert "1 of" in found["lego.transform.seconds_over_fit"]["note"]
    for name in found:
        if name.endswith(".psnr"):
            assert name.removesuffix("psnr") + "foreground_psnr" in found
        if ".bd_" in name or "bytes_saved" in name:
            assert name.removesuffix("_overlap") in found and name.removesuffix("_overlap") + "_overlap" in found
    assert {"lego.pyramid.bd_rate_vs_transform", "lego.transform.mask.bytes_saved_percent_overlap"} <= set(found)
    assert found["lego.tensorf.tiny.foreground_psnr"]["value"] > 0
    commands = [each["command"] for each in found["lego.pyramid.step_0_01.psnr"]["trained"]]
    assert len(commands) == 2 and all(row["trained"] for row in found.values())  # of the fit, and of the points
