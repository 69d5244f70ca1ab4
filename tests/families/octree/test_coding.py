"""Runs of octrees with features, compressed to indices."""

import pytest

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError, RunError
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.runs import add, compress, compression_waves, evaluate, fit


@pytest.fixture(scope="session")
def run(tmp_path_factory, data, octree_settings):
    out = tmp_path_factory.mktemp("octrees") / "run"
    fit(data, out, config=octree_settings, family="octree", report=False)
    return out


@pytest.fixture(scope="session")
def small(tmp_path_factory, run):
    out = tmp_path_factory.mktemp("octrees") / "small"
    compress(run, out, bits=3, steps=8)
    return out


def test_features_become_indices_and_the_run_stays(run, small):
    before, after = open_collection(run), open_collection(small)
    assert after.ids == before.ids and after.shared_hash == before.shared_hash and after.verify() == []
    assert after.properties["compressed"] == {"bits": 3, "seed": 0, "steps": 8, "of": before.shared_hash}
    for name in after:
        code, plain = after[name].code(), before[name].code()
        assert isinstance(code, QuantisedOctreeCodes) and isinstance(plain, OctreeCodes)
        assert [level.bits for level in code.levels[0]] == [3, 3, 3]
        assert code.trees[0].corner_counts == plain.trees[0].corner_counts
        assert sum(map(len, after.layers(name))) < 0.4 * sum(map(len, before.layers(name)))
        assert set(after.entry(name).metrics) == set(before.entry(name).metrics)
    assert (small / "report.html").exists()
    assert evaluate(small)["mean"]["psnr"] > evaluate(run)["mean"]["psnr"] - 6


def test_without_steps_every_corner_has_its_nearest_entry(run, tmp_path):
    out = compress(run, tmp_path / "out", bits=2, steps=0, report=False)
    for name in out:
        code, plain = out[name].code(), open_collection(run)[name].code()
        for level, features in zip(code.levels[0], plain.features.split(plain.trees[0].corner_counts), strict=True):
            distances = (features[:, None] - level.codebook.float()).square().sum(-1)
            taken = distances.gather(1, level.indices[:, None]).squeeze(1)
            assert (taken <= distances.amin(1) * 1.01 + 1e-6).float().mean() > 0.98  # codebooks are rounded to 16 bits


def test_objects_that_are_added_get_indices_too(small, new_data, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(small, copy)
    add(copy, new_data, report=False)
    after = open_collection(copy)
    assert len(after) > len(open_collection(small))
    assert all(isinstance(after[name].code(), QuantisedOctreeCodes) for name in after)


def test_an_interrupted_compression_goes_on(run, tmp_path, monkeypatch):
    monkeypatch.setattr(compression_waves, "OBJECTS_AT_ONCE", 1)
    out, given = tmp_path / "out", {"bits": 2, "steps": 3, "report": False}

    def stop(phase, done, total, **figures):
        if phase == "compressing" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(run, out, **given, progress=stop)
    assert len(open_collection(out)) == 2
    whole, again = compress(run, tmp_path / "whole", **given), compress(run, out, **given)
    assert [again.layers(name) for name in again] == [whole.layers(name) for name in whole]


def test_choices_that_do_not_fit_octrees(run, small, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="codec 'vq' has no setting 'groups': it has bits, steps"):
        compress(run, out, groups=2)
    with pytest.raises(ConfigError, match="bits 12: an index takes from 1 to 10"):
        compress(run, out, bits=12)
    with pytest.raises(RunError, match="is compressed already"):
        compress(small, out)
    words = ["compress", str(run), str(out), "--codec", "vq", "--groups", "2"]
    assert main(words) == 2 and not out.exists()
    assert "--groups is no setting of codec vq" in capsys.readouterr().err
