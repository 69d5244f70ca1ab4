"""FID against scipy's square root of matrices, precision and recall against plain loops."""

import numpy as np
import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.evaluation.distributions import PrecisionRecall, frechet_distance, precision_recall

pytest.importorskip("torchmetrics")


def features(count: int, seed: int, shift: float = 0.0, size: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(seed + 50), dtype=torch.float64)
    return torch.randn(count, size, generator=draw, dtype=torch.float64) @ mix + shift


def test_fid_equals_its_definition_in_scipy():
    sqrtm = pytest.importorskip("scipy.linalg").sqrtm
    drawn, real = features(300, 0, 0.5).numpy(), features(200, 1).numpy()
    covariances = np.cov(drawn, rowvar=False), np.cov(real, rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((drawn.mean(0) - real.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    found = frechet_distance(torch.from_numpy(drawn), torch.from_numpy(real))
    assert found == pytest.approx(expected, rel=1e-6)


def test_fid_of_equal_sets_is_0_and_grows_with_the_shift():
    real = features(100, 0)
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(real + 2.0, real) == pytest.approx(8 * 4.0, rel=1e-6)


def test_fid_of_fewer_images_than_features():
    found = frechet_distance(features(5, 0), features(6, 1))
    assert np.isfinite(found) and found > 0


def test_fid_of_one_image():
    with pytest.raises(ConfigError, match="at least 2 a side"):
        frechet_distance(features(1, 0), features(6, 1))


def by_loops(points: np.ndarray, manifold: np.ndarray, neighbours: int) -> float:
    radii = []
    for i, center in enumerate(manifold):
        others = sorted(np.linalg.norm(center - other) for j, other in enumerate(manifold) if j != i)
        radii.append(others[neighbours - 1])
    inside = [
        any(np.linalg.norm(point - center) <= radius for center, radius in zip(manifold, radii, strict=True))
        for point in points
    ]
    return float(np.mean(inside))


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_equal_loops(neighbours):
    drawn, real = features(60, 0, 1.0, 3), features(40, 1, 0.0, 3)
    found = precision_recall(drawn, real, neighbours)
    assert found.precision == pytest.approx(by_loops(drawn.numpy(), real.numpy(), neighbours))
    assert found.recall == pytest.approx(by_loops(real.numpy(), drawn.numpy(), neighbours))
    assert 0 < found.precision < 1 and 0 < found.recall < 1


def test_one_mode_is_precise_and_recalls_little():
    real = torch.cat([features(50, 0, 0.0, 3), features(50, 1, 100.0, 3)])
    found = precision_recall(real[:50] + 0.01, real)
    assert found.precision > 0.8 and found.recall == pytest.approx(0.5, abs=0.1)


def test_f1():
    assert PrecisionRecall(0.5, 1.0).f1 == pytest.approx(2 / 3)
    assert PrecisionRecall(0.0, 0.0).f1 == 0.0


def test_fewer_images_than_neighbours():
    with pytest.raises(ConfigError, match="more than 3 a side"):
        precision_recall(features(3, 0), features(9, 1))
