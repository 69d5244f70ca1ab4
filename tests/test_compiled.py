"""Compiled loops are kept on disk where they can be, and run in any case."""

import warnings

import numpy as np
import pytest

from manyfields import compiled
from manyfields.errors import Remark

numba = pytest.importorskip("numba")


@pytest.fixture(autouse=True)
def said_nothing_yet():
    compiled._say_once.cache_clear()
    yield
    compiled._say_once.cache_clear()


def doubled(numbers):
    for index in range(len(numbers)):
        numbers[index] *= 2


def runs(loop) -> bool:
    numbers = np.arange(3.0)
    loop(numbers)
    return numbers.tolist() == [0.0, 2.0, 4.0]


def test_where_nothing_can_be_kept_loops_are_compiled_anew_and_it_is_said_once(monkeypatch):
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])  # read-only install, and no home
    with pytest.warns(Remark, match="cannot be kept on this machine.*set NUMBA_CACHE_DIR") as caught:
        loops = [compiled.kernel()(doubled), compiled.kernel(fastmath=True)(doubled)]
    assert len(caught) == 1
    assert all(map(runs, loops))


def test_what_is_kept_is_taken_from_there(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert runs(compiled.kernel()(doubled))
        again = compiled.kernel()(doubled)
        assert runs(again)
    assert sum(again.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("step", ["_load_index", "_save_index"])
def test_a_full_disk_or_files_of_another_user_end_nothing(monkeypatch, tmp_path, step):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(f"numba.core.caching.IndexDataCacheFile.{step}", refused)
    with pytest.warns(Remark, match="permission denied"):
        assert runs(compiled.kernel()(doubled))


def test_every_kernel_goes_through_one_place():
    from pathlib import Path

    import manyfields

    package = Path(manyfields.__file__).parent
    own = [path for path in package.rglob("*.py") if "cache=True" in path.read_text(encoding="utf-8")]
    assert own == []
