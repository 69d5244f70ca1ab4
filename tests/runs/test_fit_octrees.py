"""Octrees from views to a collection, its figures and its report, with a small fitter in the place of the real one."""

import json
import sys

import pytest
import torch

from manyfields.cameras import Rays
from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.fields import Octree, OctreeCodes
from manyfields.fitting import checkpoints
from manyfields.fitting.data import stable_seed
from manyfields.rendering import color_error
from manyfields.runs import RunRecord, add, evaluate, fit
from manyfields.runs.building import new_shared

TINY = {
    "octree": {"first": 2, "last": 4, "features": 4, "hidden": 8, "view_frequencies": 1},
    "hull": 16,
    "sampler": {"guided": 6, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "checkpoint_seconds": 0.0,
    "stage1": [{"name": "octrees", "steps": 6, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01}],
    "stage2": [{"name": "octrees", "steps": 3, "rgb": 1.0, "codes_rate": 0.1}],
}


class SmallFitter:
    """Learns features of octrees that fill each object's hull, by Adam: as much as the plumbing needs."""

    def __init__(self, record, data, shared=None):
        self.data, self.record = data, record
        self.shared = shared or new_shared(record.settings, data.objects)
        self.trees = tuple(self._tree(item) for item in data.objects)
        self.features = self.shared.family.new_codes(self.trees, torch.Generator().manual_seed(1)).features
        self.features.requires_grad_()

    def _tree(self, item):
        low, high = item.bounds
        cells = (item.hull.nonzero() + 0.5) / item.hull.shape[0]
        config = self.shared.family.config
        return Octree.of_points((low + cells * (high - low)).clamp(-1, 1), config.first, config.last)

    def begin(self, phase):
        network = list(self.shared.family.parameters())
        for parameter in network:
            parameter.requires_grad_(phase.fields_rate > 0)
        groups = [{"params": [self.features], "lr": phase.codes_rate}]
        if phase.fields_rate:
            groups.append({"params": network, "lr": phase.fields_rate})
        self.optimizer = torch.optim.Adam(groups)

    def step(self, phase, index):
        generator = torch.Generator().manual_seed(stable_seed(0, phase.name, index))
        row = index % len(self.data)
        item, codes = self.data.objects[row], self.codes_of([row], detach=False)
        rays = item.cameras.rays()
        flat = Rays(rays.origins.reshape(1, -1, 3), rays.directions.reshape(1, -1, 3))
        picked = torch.randint(flat.origins.shape[1], (128,), generator=generator)
        colors = item.images.permute(0, 2, 3, 1).reshape(1, -1, 3)[:, picked].float() / 255
        some = Rays(flat.origins[:, picked], flat.directions[:, picked])
        field, bounds = self.shared.family.field(codes), item.bounds[None]
        guide, white = self.shared.guide(codes, bounds), self.shared.background
        sampler = self.record.settings.sampler
        given = {"bounds": bounds, "guide": guide, "background": white, "generator": generator}
        loss = color_error(field, some, colors, sampler, **given)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"rgb": loss.item()}

    def run(self, phase, start=0, after_step=None):
        for index in range(start, phase.steps):
            losses = self.step(phase, index)
            if after_step is not None:
                after_step(index + 1, losses)

    def state(self):
        return {
            **checkpoints.pack("shared", self.shared.state_dict()),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            "features": self.features.detach(),
        }

    def load_shared(self, tensors):
        self.shared.load_state_dict(checkpoints.unpack("shared", tensors))

    def load(self, tensors, optimizer=True):
        self.load_shared(tensors)
        self.features.data.copy_(tensors["features"])
        if optimizer:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))

    def codes_of(self, rows, detach=True):
        return OctreeCodes(self.trees, self.features.detach() if detach else self.features)[rows]

    @torch.no_grad()
    def pictures(self, row, cameras, sampler):
        return self.shared.pictures(self.codes_of([row]), cameras[None], self.data.bounds[row : row + 1], sampler)


@pytest.fixture(autouse=True)
def small_fitter(monkeypatch):
    for module in ("fit", "plan", "building"):
        monkeypatch.setattr(sys.modules[f"manyfields.runs.{module}"], "new_octree_fitter", SmallFitter)


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


def test_octrees_from_views_to_a_report(data, tiny, tmp_path, new_data, hashes, capsys):
    run = tmp_path / "run"
    collection = fit(data, run, config=tiny, family="octree")
    record = RunRecord.load(run)
    assert record.finished and record.stage2 == [] and sorted(record.stage1) == sorted(collection.ids)
    assert collection.verify() == [] and collection.config["codec"] == "octree"
    assert collection.config["family"]["family"] == "octree" and collection.sizes()["waves"] == 1
    for name in collection:
        entry = collection.entry(name)
        assert len(entry.ranges) == 3
        assert {"psnr", "layer0_psnr", "layer1_psnr", "foreground_psnr"} <= entry.metrics.keys()
    assert record.curves and record.curves[-1]["held_out_psnr"] > 5
    report = (run / "report.html").read_text()
    assert all(name in report for name in collection.ids)
    figures = {level: evaluate(run, level=level) for level in (None, 1, 3)}
    assert figures[3]["mean"] == figures[None]["mean"] != figures[1]["mean"]
    stated = collection.entry("box_flat").metrics["layer0_psnr"]
    assert figures[1]["objects"]["box_flat"]["psnr"] == pytest.approx(stated)
    before = hashes(run)
    add(run, new_data)
    after = hashes(run)
    assert "box_wide" in open_collection(run)
    assert all(after[name] == digest for name, digest in before.items() if name != "collection.json")
    assert main(["info", str(run)]) == 0
    assert "Octrees: mean bytes of 5 objects" in capsys.readouterr().out
    assert main(["stream", str(run), "--object", "box_flat", "--out", str(tmp_path / "a.vq")]) == 1
    assert "has features without codebooks" in capsys.readouterr().err


def test_a_run_that_was_killed_ends_with_the_same_bytes(data, tiny, tmp_path, hashes):
    class Killed(BaseException):
        pass

    def killed(phase, done, total, **_):
        if phase == "stage 1: octrees" and done == 4:
            raise Killed

    fit(data, tmp_path / "whole", config=tiny, family="octree", report=False)
    with pytest.raises(Killed):
        fit(data, tmp_path / "killed", config=tiny, family="octree", report=False, progress=killed)
    fit(data, tmp_path / "killed", resume=True, report=False)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")
