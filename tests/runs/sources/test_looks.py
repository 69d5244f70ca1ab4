"""Training views that are set aside: few, recorded, never learned from; and looks, at any size of as few pixels."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from manyfields.fitting.data import load_views
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.runs import RunRecord, fit
from manyfields.runs.settings import chosen_settings, read_config
from manyfields.runs.sources import looks as probe
from manyfields.runs.sources.loading import load_objects
from manyfields.runs.sources.looks import held_out_probe, spare_views, watch
from manyfields.views import composite, read_views

STOPPING = Phase("micro", 8, rgb=1.0, stops=True)


@pytest.fixture
def record(data, rgb_settings, monkeypatch):
    """Of objects that have just views enough."""
    views = read_views(data)
    settings = chosen_settings(None, read_config(rgb_settings), {})
    held = {item.id: {"source": 0, "views": item.names[:1], "trained": len(item) - 1} for item in views}
    monkeypatch.setattr(probe, "VIEWS_TO_SPARE", min(len(item) - 1 for item in views))
    return RunRecord(settings, [str(data)], (32, 32), views.ids, [], held), views


def test_a_view_of_each_object_is_set_aside_and_teaches_nothing(record):
    record, views = record
    spare_views(record, views.objects, [STOPPING])
    for item in load_objects(views.objects, record):
        (name,) = record.held_out[item.id]["aside"]
        (index,) = item.aside
        assert views[item.id].names[index] == name
        assert index not in item.train and index not in item.test
        assert len(item.images) == len(item.train) == record.held_out[item.id]["trained"]
        assert item.alpha is not None and len(item.alpha) == len(item.train)


def test_views_are_set_aside_of_few_objects_and_where_a_phase_stops(record, monkeypatch):
    record, views = record
    spare_views(record, views.objects, [Phase("rays", 8, rgb=1.0)])
    assert not any("aside" in held for held in record.held_out.values())
    monkeypatch.setattr(probe, "OBJECTS_OF_A_PROBE", 2)
    record.held_out[views.ids[0]]["trained"] -= 1  # too few to spare one
    spare_views(record, views.objects, [STOPPING])
    spared = [name for name, held in record.held_out.items() if "aside" in held]
    assert len(spared) == 2 and views.ids[0] not in spared


def test_a_look_at_white_pictures_is_of_all_pixels_and_of_the_foreground(data):
    source = read_views(data).objects[0]
    rgba = load_views(source, [3], (32, 32))[0].numpy()
    white = SimpleNamespace(images=torch.ones(1, 1, 3, 32, 32))
    item = SimpleNamespace(source=source, test=[3], aside=[3])
    fitter = SimpleNamespace(data=SimpleNamespace(objects=[item]), pictures=lambda row, cameras, sampler: white)
    error = np.square(1.0 - composite(rgba) / 255.0).mean(-1)
    whole, inside = (-10 * np.log10(error[chosen].mean()) for chosen in (error >= 0, rgba[..., 3] > 127.5))
    assert inside < whole - 1
    probe, watched = held_out_probe(fitter, Sampler(), (32, 32)), watch(fitter, Sampler(), (32, 32))
    assert probe() == pytest.approx({"held_out_psnr": whole, "held_out_foreground_psnr": inside}, abs=1e-4)
    assert watched() == pytest.approx(whole, abs=1e-4)
    item.test, item.aside = [], []
    assert held_out_probe(fitter, Sampler(), (32, 32)) is None and watch(fitter, Sampler(), (32, 32)) is None


def test_a_run_whose_phases_stop_ends_alike_however_often_it_dies(data, rgb_settings, tmp_path, hashes, monkeypatch):
    monkeypatch.setattr(probe, "VIEWS_TO_SPARE", 5)
    settings = json.loads(rgb_settings.read_text())
    micro = {**settings["stage1"][0], "name": "micro", "steps": 12, "stops": True, "weights_rate": 0.0}
    micro = {**micro, "base_rate": 0.0, "fields_rate": 0.0, "coarse_share": 0.0, "codes_rate": 1e-9, "backgrounds": 0.5}
    settings["stage1"].append(micro)
    config = tmp_path / "c.json"
    config.write_text(json.dumps(settings))
    said: list[str] = []
    options = {"config": config, "stage1_objects": 2, "report": False}
    fit(data, tmp_path / "whole", say=said.append, **options)
    assert any("training views, each of another object, are set aside" in line for line in said)
    assert any("stage 1: micro brought nothing more" in line for line in said)
    broken, calls = tmp_path / "broken", 0

    class Killed(BaseException):
        pass

    def dies(*_, **__) -> None:
        nonlocal calls
        calls += 1
        if calls % 17 == 0:
            raise Killed

    for _ in range(30):
        try:
            fit(data, broken, resume=(broken / "run.json").exists(), progress=dies, **options)
            break
        except Killed:
            continue
    assert calls > 3 * 17
    assert hashes(broken) == hashes(tmp_path / "whole")
    assert not list(Path(broken).rglob("*-before*"))
