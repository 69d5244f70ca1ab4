"""Views that have moved since the fit: what needs none goes on, what does says where they were and how to go on."""

import shutil

import pytest

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import RunError, ViewError
from manyfields.runs import RunRecord, compress, evaluate, fit, rd


@pytest.fixture
def moved(data, settings, tmp_path):
    """A run, where its views were, and where they are."""
    before, after, run = tmp_path / "views", tmp_path / "elsewhere", tmp_path / "moved-run"
    shutil.copytree(data, before)
    fit(before, run, config=settings, stage1_objects=2, report=False)
    before.rename(after)
    return run, before, after


def test_a_collection_is_compressed_and_reported_without_its_views(moved, tmp_path, capsys):
    run, before, _ = moved
    assert main(["compress", str(run), str(tmp_path / "small")]) == 0
    small = open_collection(tmp_path / "small")
    assert small.verify() == [] and len(small) == 4
    said = capsys.readouterr()
    assert "views are not at hand" in said.err and "Traceback" not in said.err
    page = (tmp_path / "small" / "report.html").read_text()
    assert f"Views at {before} are gone" in page and "box_flat" in page


def test_with_their_new_place_all_is_as_before(moved, tmp_path, capsys):
    run, _, after = moved
    said = []
    compress(run, tmp_path / "small", codec="vq", steps=1, data=[after], report=False, say=said.append)
    assert not any("not at hand" in text for text in said)
    assert RunRecord.load(tmp_path / "small").data == [str(after.resolve())]
    assert len(evaluate(tmp_path / "small")["objects"]) == 4
    assert main(["eval", str(run), "--data", str(after)]) == 0
    assert "box_flat" in capsys.readouterr().out


def test_eval_says_where_they_were_and_how_to_tell_where_they_are(moved, capsys):
    run, before, after = moved
    assert main(["eval", str(run)]) == 1
    said = capsys.readouterr().err
    wanted = (
        f"error: {run} was fitted to views at {before}, which are gone: bring them back, or say where they are now "
    )
    assert said.startswith(wanted + "with --data")
    with pytest.raises(RunError, match="--data names as many folders, in this order"):
        evaluate(run, data=[after, after])


def test_a_fit_is_resumed_with_views_that_have_moved(data, settings, tmp_path):
    class Killed(BaseException):
        pass

    def die(phase, *_, **__):
        if "warm-up" in phase:
            raise Killed

    before, after, run = tmp_path / "views", tmp_path / "elsewhere", tmp_path / "killed-run"
    shutil.copytree(data, before)
    with pytest.raises(Killed):
        fit(before, run, config=settings, stage1_objects=2, report=False, progress=die)
    with pytest.raises(RunError, match="resume it with the same data"):
        fit(data, run, resume=True, report=False)
    before.rename(after)
    assert len(fit(after, run, resume=True, report=False)) == 4
    assert RunRecord.load(run).data == [str(after.resolve())]


def test_rd_says_so_before_it_measures(moved, tensor_run, tmp_path):
    run = tmp_path / "tensors"
    shutil.copytree(tensor_run, run)
    record = RunRecord.load(run)
    record.data = [str(tmp_path / "gone")]
    record.save(run)
    with pytest.raises(ViewError, match="which are gone: bring them back"):
        rd(run, tmp_path / "curves")
    assert not (tmp_path / "curves").exists()
