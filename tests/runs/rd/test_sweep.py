"""Curves of codecs whose objects share more than a network."""

import pytest

from manyfields.collection import open_collection
from manyfields.errors import ConfigError
from manyfields.runs import rd


def test_a_set_by_codebooks(rgb_run, tmp_path):
    """Every object is charged for its share of the shared file and of the codec's."""
    before = open_collection(rgb_run)
    kept = rd(rgb_run, tmp_path / "rd", codec="vq", values=[2, 4], steps=0, objects=before.ids[:2])
    few, more = kept["curves"]["vq"]["points"]
    assert kept["curves"]["vq"]["knob"] == "bits" and few["bytes"] < more["bytes"] < kept["uncompressed"]["bytes"]
    folder = tmp_path / "rd" / "vq" / "4"
    (shared,), (codec,) = folder.glob("shared-*"), folder.glob("codec-*")
    assert more["parts"]["shared"] == shared.stat().st_size / 4 == before.sizes()["shared"] / 4
    assert more["parts"]["codec"] == codec.stat().st_size / 4
    layers = [path.stat().st_size for path in folder.glob("b*.layer*")]
    assert len(layers) == 2 * 3 and more["parts"]["micro"] < sum(layers) / 2
    assert more["bytes"] == pytest.approx(sum(layers) / 2 + more["parts"]["shared"] + more["parts"]["codec"])
    with pytest.raises(ConfigError, match="bits: 2.5 is no whole number"):
        rd(rgb_run, tmp_path / "rd", codec="vq", values=[2.5], steps=0, objects=before.ids[:2])


def test_a_set_by_transform_coding(rgb_run, tmp_path):
    given = {"steps": 2, "visits": 2, "rays": 64, "objects": open_collection(rgb_run).ids[:1]}
    kept = rd(rgb_run, tmp_path / "rd", codec="transform", values=[0.08], **given)
    curve = kept["curves"]["transform"]
    assert curve["knob"] == "lambda" and curve["settings"] == {"visits": 2, "rays": 64} and curve["steps"] == 2
    (point,) = curve["points"]
    # Base planes in 8 bits: the shared file is about half of that of the run.
    assert point["parts"]["shared"] < 0.7 * open_collection(rgb_run).sizes()["shared"] / 4
    assert {"hull", "coarse", "fine", "codec"} < set(point["parts"]) and point["psnr"] > 0
