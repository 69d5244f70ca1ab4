"""PSNR and IoU of instances against their definitions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from manyfields.families.mixture import scores as instances
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_data import SignalData
from manyfields.families.mixture.scores import instance_scores, iou, psnr
from manyfields.views.signals import SignalSet


def test_iou_counts_voxels():
    truth = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).unsqueeze(-1)
    found = torch.tensor([[0.9, 0.2, 0.7, 0.1], [0.1, 0.2, 0, -3], [0.6, 0.6, 0.6, 7], [0.9, 0, 0, 0]]).unsqueeze(-1)
    assert iou(found, truth).tolist() == pytest.approx([1 / 3, 1.0, 1.0, 0.0])


def test_psnr_clamps():
    truth = torch.zeros(2, 10, 3)
    found = torch.stack([truth[0] + 0.1, truth[1] - 5])
    assert psnr(found, truth).tolist() == pytest.approx([20.0, 100.0])


def test_scores_of_instances_are_those_of_all_cells(monkeypatch):
    monkeypatch.setattr(instances, "POINTS_AT_ONCE", 130)
    family = MixtureFamily(MixtureConfig("voxels", 1, 8, 4, 3))
    values = 255 * np.random.default_rng(0).integers(0, 2, (5, 64, 1)).astype(np.uint8)
    names = [str(n) for n in range(5)]
    data = SignalData(SignalSet(names, values, 4, [None] * 5, [None] * 5, Path("x")))
    latents = family.new_codes(5).tensors["latent"]
    scores = instance_scores(family, latents, data)
    with torch.no_grad():
        found = family.values(latents, data.points.expand(5, -1, -1))
    truth = torch.from_numpy(values).float() / 255
    assert [score["iou"] for score in scores] == pytest.approx(iou(found, truth).tolist())
    assert [score["psnr"] for score in scores] == pytest.approx(psnr(found, truth).tolist(), rel=1e-4)
