"""The counts behind docs/results/performance.md: those of the paper, and of settings."""

import pytest

from benchmarks.floor import stage2
from manyfields.runs import presets


def test_the_paper_renders_eleven_thousand_views_of_an_object():
    """283 million samples: 144 views, 80 epochs, 256 rays, 96 samples."""
    network = stage2.Network("nothing", 0.0, 0.0, 0.0, 0)
    found = {part.name: part for part in stage2.paper_object(network, network)}
    samples = 144 * 80 * 256 * 96
    assert found["gather"].gathered == samples * 12 * 32 * 4
    assert found["tiny decoder"].products == 3 * 2 * samples * (32 * 64 + 64 * 5)
    assert found["mixing"].products == 144 * 80 * 3 * 2 * 50 * 3 * 64**2 * 22
    frozen = {p.name: p for p in stage2.paper_object(network, network, stage2.PaperSettings(learns_shared=False))}
    assert frozen["mixing"].products == found["mixing"].products * 2 / 3
    assert frozen["Adam"].moved == 144 * 80 * 28 * (3 * 64**2 * 10 + 51)


def test_rows_of_parts_add_up_to_that_of_all():
    parts = [stage2.Part("tiny decoder", products=3e12, moved=2e9), stage2.Part("Adam", others=1e12, gathered=5e9)]
    found = {row.name: (row.value, row.unit) for row in stage2.rows("ours", "a title", parts)}
    assert found["floor.ours.tiny_decoder.operations"] == (3.0, "TFLOP")
    assert found["floor.ours.all.operations"] == (4.0, "TFLOP")
    assert found["floor.ours.all.moved"] == (2e9, "bytes") and found["floor.ours.adam.gathered"] == (5e9, "bytes")
    assert found["floor.ours.adam.share_of_operations"] == (0.25, "share")
    seconds = [found[f"floor.ours.{name}.h200_seconds"][0] for name in ("tiny_decoder", "adam", "all")]
    assert seconds[0] + seconds[1] == pytest.approx(seconds[2])


def test_ours_follows_the_settings():
    """The rays of an object do not depend on how many are fitted side by side."""
    settings = presets()["fused-planes"]
    alone, wave = (sum(part.products for part in stage2.our_object(settings, n)) for n in (8, 16))
    assert wave == pytest.approx(alone, rel=0.01)
    fewer = sum(part.products for part in stage2.our_object(settings, views=72))
    assert fewer == pytest.approx(wave / 2, rel=0.01)
