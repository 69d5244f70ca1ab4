"""A crash at any step of append leaves exactly the old state or the new one."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from manyfields.collection import ObjectRecord, create_collection, open_collection

STEPS = [(os, "replace"), (os, "fsync"), (os, "chmod"), (tempfile, "mkstemp"), (os, "fdopen")]
WAVE = [ObjectRecord("new", [b"N0", b"finer"]), ObjectRecord("newer", [b"N1"])]


class Killed(BaseException):
    """No handler of ordinary errors may catch it."""


def run_until(monkeypatch, action, fatal: int, before: bool) -> int:
    """Run `action`, dying at step number `fatal`, just before or just after it. Returns the steps that were begun."""
    steps = 0
    with monkeypatch.context() as patch:

        def guard(original):
            def step(*args, **kwargs):
                nonlocal steps
                steps += 1
                if steps > fatal or (steps == fatal and before):
                    raise Killed  # a dead process does nothing more, no cleaning up either
                result = original(*args, **kwargs)
                if steps == fatal:
                    raise Killed
                return result

            return step

        for module, name in STEPS:
            patch.setattr(module, name, guard(getattr(module, name)))
        unlink = Path.unlink

        def no_unlink(path, *args, **kwargs):
            if steps >= fatal:
                raise Killed
            unlink(path, *args, **kwargs)

        patch.setattr(Path, "unlink", no_unlink)
        try:
            action()
        except Killed:
            return steps
    return steps


@pytest.mark.filterwarnings("ignore")  # a file left open by the simulated death
@pytest.mark.parametrize("before", [True, False])
def test_append(tiny, tmp_path, monkeypatch, before):
    pristine = tmp_path / "pristine"
    shutil.copytree(tiny.path, pristine)
    old, new = tiny.ids, [*tiny.ids, "new", "newer"]
    whole = run_until(monkeypatch, lambda: open_collection(tiny.path).append(WAVE), 10**6, before)
    assert open_collection(tiny.path).ids == new and whole >= 18  # 3 files, 6 steps each
    seen = []
    for fatal in range(1, whole + 1):
        folder = tmp_path / f"crash-{fatal}"
        shutil.copytree(pristine, folder)
        run_until(monkeypatch, lambda folder=folder: open_collection(folder).append(WAVE), fatal, before)
        after = open_collection(folder)
        assert after.ids in (old, new) and after.verify() == [], fatal
        assert after.layers("mug") == [b"W0", b"planes of mug", b"more"]
        seen.append(after.ids == new)
        if not seen[-1]:  # what the crash left behind is in nobody's way
            after.append([ObjectRecord("other", [b"other bytes"])])
            again = open_collection(folder)
            assert again.ids == [*old, "other"] and again.layers("other") == [b"other bytes"] and again.verify() == []
            assert not list(folder.glob(".*.tmp"))
    assert seen == sorted(seen) and True in seen and False in seen  # one moment of commitment


@pytest.mark.filterwarnings("ignore")
def test_create(tmp_path, monkeypatch):
    import torch

    def create(folder):
        return create_collection(folder, shared={"a": torch.ones(1)}, config={}, encoder={"b": torch.ones(1)})

    whole = run_until(monkeypatch, lambda: create(tmp_path / "whole"), 10**6, True)
    for fatal in range(1, whole + 1):
        folder = tmp_path / f"crash-{fatal}"
        run_until(monkeypatch, lambda folder=folder: create(folder), fatal, True)
        if not (folder / "collection.json").exists():
            create(folder)
            assert not list(folder.glob(".*.tmp"))
        assert open_collection(folder).verify() == []
