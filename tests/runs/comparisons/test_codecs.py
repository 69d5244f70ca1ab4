"""Ways to store octree fields, side by side, on a tiny object."""

import json

import pytest
import torch

from manyfields.errors import ConfigError, RunError, ViewError
from manyfields.families.octree import settings as octree_settings
from manyfields.families.octree.baselines.methods import stored_network
from manyfields.families.octree.field import OctreeConfig
from manyfields.runs import compare_codecs

CONFIG = OctreeConfig(first=2, last=3, features=8, hidden=8, view_frequencies=1)
METHODS = ("uncompressed", "vq3", "vq2_from_noise", "hash4")


@pytest.fixture(autouse=True)
def few_rays(monkeypatch):
    monkeypatch.setattr(octree_settings, "RAYS_OF_OCTREES", 128)


@pytest.fixture
def compared(data, tmp_path):
    def call(**changes):
        given = {"out": tmp_path, "steps": 20, "methods": METHODS, "objects": ("ball_blue",), "config": CONFIG}
        return compare_codecs(data, **given | changes)

    return call


def test_every_method_has_figures_of_its_bytes(compared, tmp_path):
    rows = {row["method"]: row for row in compared()}
    after = {"low_rank8", "low_rank4", "low_rank2", "low_rank1", "kmeans6", "kmeans4"}
    assert set(rows) == after | set(METHODS)
    kept = json.loads((tmp_path / "codecs.json").read_text())
    corners = sum(kept["objects"]["ball_blue"]["corners"])
    numbers = len(torch.nn.utils.parameters_to_vector(family().parameters()))
    assert rows["uncompressed"]["paper_bytes"] == 2 * (8 * corners + numbers)
    assert rows["vq3"]["paper_bytes"] < rows["vq3"]["bytes"] and rows["vq3"]["coded_bytes"] <= rows["vq3"]["bytes"]
    assert rows["hash4"]["paper_bytes"] == 2 * (2 * 16 * 8 + numbers)
    assert rows["vq3"]["loss_db"] == pytest.approx(rows["uncompressed"]["psnr"] - rows["vq3"]["psnr"])
    inside = rows["uncompressed"]["foreground_psnr"] - rows["vq3"]["foreground_psnr"]
    assert rows["vq3"]["foreground_loss_db"] == pytest.approx(inside)
    for method in ("uncompressed", "vq3"):
        figures = kept["objects"]["ball_blue"]["methods"][method]
        assert figures["levels"][-1] == figures["psnr"] != figures["foreground_psnr"]
        assert figures["foreground_levels"][-1] == figures["foreground_psnr"]
        assert rows[method]["foreground_psnr"] == figures["foreground_psnr"]
    assert [set(each) >= {"command", "commit", "views"} for each in kept["objects"]["ball_blue"]["processes"]] == [True]
    assert rows["uncompressed"]["loss_db"] is None and rows["vq2_from_noise"]["seconds"] > 0
    assert "hash4" in (tmp_path / "report.html").read_text()


def test_what_is_there_is_not_fitted_again(compared, tmp_path):
    first = compared(methods=("vq3",))
    again = compared(methods=("vq3", "hash4"))
    assert again[0] == first[0] and [row["method"] for row in again] == ["vq3", "hash4"]
    with pytest.raises(RunError, match="figures of other settings"):
        compared(steps=30)


def test_the_same_seed_gives_the_same_figures(compared, tmp_path):
    one, other = (compared(out=tmp_path / name, methods=("vq3",))[0] for name in "ab")
    assert {**one, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"methods": ("vq12",)}, ConfigError, "method 'vq12': uncompressed, vqB"),
        ({"methods": ("jpeg",)}, ConfigError, "method 'jpeg'"),
        ({"steps": 3}, ConfigError, "steps 3: at least 10"),
        ({"objects": ("x",)}, ViewError, "has no object 'x'"),
    ],
)
def test_requests_without_meaning_are_refused(compared, changes, kind, message):
    with pytest.raises(kind, match=message):
        compared(**changes)


def family():
    from manyfields.families.octree.field import OctreeFamily

    return OctreeFamily(CONFIG, torch.Generator().manual_seed(0))


def test_a_stored_network_is_that_of_its_bytes():
    made = family()
    for bits, near in ((16, 1e-3), (8, 1e-2)):
        for one, other in zip(made.parameters(), stored_network(made, bits).parameters(), strict=True):
            assert not torch.equal(one, other) or one.abs().max() == 0
            torch.testing.assert_close(one.detach(), other.detach(), rtol=0, atol=near)
