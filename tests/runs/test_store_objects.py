"""What cannot be stored is set aside by name, and keeps no other object out."""

from dataclasses import replace

import numpy as np
import pytest

from manyfields.collection import open_collection
from manyfields.errors import Remark, ViewError
from manyfields.runs import RunRecord, fit
from manyfields.runs.sources import posed_views
from manyfields.runs.sources.loading import load_objects


@pytest.fixture
def renamed(monkeypatch):
    """Objects get other ids after all checks, as where a reader lets one pass that the store refuses."""

    def rename(names: dict[str, str]):
        usual = posed_views.read_views

        def read(folder):
            found = usual(folder)
            objects = [replace(item, id=names.get(item.id, item.id)) for item in found.objects]
            return replace(found, objects=objects)

        monkeypatch.setattr(posed_views, "read_views", read)
        monkeypatch.setattr(posed_views, "usable_views", lambda views: (views, []))

    return rename


@pytest.mark.parametrize("name", ["02958343/1a2b", "..", "a\tb", "x" * 600])
def test_an_id_that_the_store_refuses_keeps_no_other_object_out(data, settings, tmp_path, renamed, name):
    renamed({"ball_red": name})
    with pytest.warns(Remark, match="is not stored: .*id"):
        made = fit(data, tmp_path / "run", config=settings, stage1_objects=2, report=False)
    assert sorted(made.ids) == ["ball_blue", "box_flat", "box_tall"]
    record = RunRecord.load(tmp_path / "run")
    assert record.finished and [problem["object"] for problem in record.problems] == [name.replace("\t", r"\t")]


def test_a_set_of_which_nothing_can_be_stored_says_why(data, settings, tmp_path, renamed):
    renamed({name: f"class/{name}" for name in ("ball_blue", "ball_red", "box_flat", "box_tall")})
    with pytest.warns(Remark), pytest.raises(ViewError, match="no object could be stored: .*an id may hold no slash"):
        fit(data, tmp_path / "run", config=settings, stage1_objects=2, report=False)


def test_an_object_that_diverged_is_found_among_the_others(run):
    from manyfields.runs.store_objects import store_objects
    from manyfields.views import read_views

    collection, record = open_collection(run), RunRecord.load(run)
    views = read_views(record.data[0])
    items = load_objects([replace(views[name], id=f"new-{name}") for name in views.ids[:3]], record)
    codes = collection[collection.ids[0]].code()
    many = type(codes).concatenate([codes] * 3)
    many.tensors["micro"][1] = np.nan
    with pytest.warns(Remark, match=f"'{items[1].id}' is not stored: a code holds NaN in micro"):
        store_objects(collection, posed_views.PosedViews(), items, many, record, 2)
    assert items[0].id in collection and items[1].id not in collection and items[2].id in collection
