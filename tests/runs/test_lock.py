"""Whoever does not get the lock of a run folder writes nothing, and what a run holds is looked at under the lock."""

import shutil
from pathlib import Path

import pytest

from manyfields._lock import only_process
from manyfields.errors import RunError
from manyfields.generation import PriorSettings
from manyfields.runs import RunRecord, add, compare, compress, demo, fit, train_prior
from manyfields.runs.comparisons.codecs import compare_codecs
from manyfields.runs.comparisons.families import compare_families


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if Path(name).name != ".lock"}


def test_every_command_that_writes_into_a_run_folder_asks_for_its_lock(run, data, new_data, tmp_path):
    held = tmp_path / "held"
    held.mkdir()
    small = PriorSettings(width=16, blocks=1, steps=3, batch=4)
    calls = {
        "fit": lambda: fit(data, held),
        "add": lambda: add(run, new_data),
        "compress": lambda: compress(run, held, codec="vq", steps=0),
        "prior": lambda: train_prior(run, small),
        "compare": lambda: compare(data, minutes=1, out=held),
        "families": lambda: compare_families(data, minutes=1, out=held),
        "codecs": lambda: compare_codecs(data, out=held),
        "demo": lambda: demo(held),
    }
    before = files(tmp_path)
    for name, call in calls.items():
        with only_process(run), only_process(held), pytest.raises(RunError, match="another process is writing to it"):
            call()
        assert files(tmp_path) == before, name


def test_a_fit_that_is_refused_leaves_the_settings_of_the_one_that_runs(data, settings, rgb_settings, tmp_path):
    """A job that was sent twice, both begun before the first has written anything; then the first is killed."""
    run, refused = tmp_path / "run", []

    class Killed(BaseException):
        pass

    def another_job(phase: str, *_, **__):
        if not refused:  # while the first reads its views: no run.json is there yet
            assert not (run / "run.json").exists()
            with pytest.raises(RunError, match="another process is writing to it"):
                fit(data, run, config=rgb_settings, stage1_objects=3)
            refused.append(phase)
        if phase.startswith("stage 1") or "warm-up" in phase:
            raise Killed

    with pytest.raises(Killed):
        fit(data, run, config=settings, stage1_objects=2, report=False, progress=another_job)
    assert refused and RunRecord.load(run).settings.preset == "latent"
    assert len(fit(data, run, resume=True, report=False)) == 4


def test_what_another_process_began_meanwhile_is_not_overwritten(run, data, tmp_path, settings, monkeypatch):
    """The folder was empty when this one looked first, and is a run by the time it has the lock."""
    late, before = tmp_path / "late", files(run)
    real = Path.mkdir

    def mkdir(self, *given, **options):
        if self == late and not late.exists():
            shutil.copytree(run, late)
        return real(self, *given, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(RunError, match="holds a run already"):
        fit(data, late, config=settings)
    assert files(late) == before


def test_a_folder_that_is_no_run_is_not_touched(data, tmp_path):
    (tmp_path / "letters").mkdir()
    with pytest.raises(RunError, match="is not a run folder"):
        fit(data, tmp_path / "letters", resume=True)
    assert list((tmp_path / "letters").iterdir()) == []
