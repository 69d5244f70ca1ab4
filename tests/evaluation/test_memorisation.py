"""Distances to nearest training objects, against loops."""

import pytest
import torch

from manyfields.evaluation.memorisation import memorisation

DRAW = torch.Generator().manual_seed(0)
TRAINING, HELD_OUT, SAMPLES = (torch.randn(count, 4, generator=DRAW) for count in (20, 9, 11))


def test_nearest_and_distances_equal_loops():
    found = memorisation(SAMPLES, TRAINING, HELD_OUT)
    for row, sample in enumerate(SAMPLES):
        distances = [float((sample - other).norm()) for other in TRAINING]
        assert found.nearest[row] == distances.index(min(distances))
        assert float(found.distances[row]) == pytest.approx(min(distances), rel=1e-5)
    held = sorted(min(float((own - other).norm()) for other in TRAINING) for own in HELD_OUT)
    assert sorted(found.held_out.tolist()) == pytest.approx(held, rel=1e-5)
    assert found.ratio == pytest.approx(float(found.distances.median()) / held[4], rel=1e-5)
    assert found.quantiles()["held_out"][1] == pytest.approx(held[4], rel=1e-5)


def test_copies_are_found():
    copied = memorisation(TRAINING[:10] + 1e-3, TRAINING, HELD_OUT)
    assert copied.copies == 1.0 and copied.ratio < 0.01 and copied.nearest.tolist() == list(range(10))
    assert memorisation(TRAINING[:10] + 9.0, TRAINING, HELD_OUT).copies == 0.0
