"""PSNR and IoU of instances against their definitions."""

import numpy as np
import pytest
import torch

from manyfields.evaluation.instances import instance_scores, iou, psnr


def test_iou_counts_voxels():
    truth = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).unsqueeze(-1)
    found = torch.tensor([[0.9, 0.2, 0.7, 0.1], [0.1, 0.2, 0, -3], [0.6, 0.6, 0.6, 7], [0.9, 0, 0, 0]]).unsqueeze(-1)
    assert iou(found, truth).tolist() == pytest.approx([1 / 3, 1.0, 1.0, 0.0])


def test_psnr_clamps():
    truth = torch.zeros(2, 10, 3)
    found = torch.stack([truth[0] + 0.1, truth[1] - 5])
    assert psnr(found, truth).tolist() == pytest.approx([20.0, 100.0])


@pytest.mark.parametrize(("channels", "metrics"), [(1, ["psnr", "iou"]), (3, ["psnr"])])
def test_scores_by_instance(channels, metrics):
    drawn = np.random.default_rng(0)
    truth = torch.from_numpy(drawn.integers(0, 2, (5, 64, channels))).float()
    found = torch.from_numpy(drawn.random((5, 64, channels))).float()
    scores = instance_scores(found, truth)
    assert [list(score) for score in scores] == [metrics] * 5
    for row, score in enumerate(scores):
        assert score["psnr"] == pytest.approx(psnr(found[[row]], truth[[row]]).item())
        assert channels == 3 or score["iou"] == pytest.approx(iou(found[[row]], truth[[row]]).item())
