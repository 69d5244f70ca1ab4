"""LPIPS against a second computation of its definition in NumPy, and its behaviour without weights."""

import numpy as np
import pytest
import torch

from manyfields.errors import ConfigError, ViewError
from manyfields.evaluation.lpips import FEATURES_FILE, HEADS_FILE, Lpips, load_lpips, weights_folder


@pytest.fixture(scope="module")
def metric(shared) -> Lpips:
    found, reason = load_lpips(shared / "weights" / "lpips")
    assert found is not None and reason is None
    return found


def images(seed: int = 0, side: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(2, 3, 5, 5, generator=generator)
    return torch.nn.functional.interpolate(smooth, (side, side), mode="bicubic").clamp(0, 1).permute(0, 2, 3, 1)


def reference(first: np.ndarray, second: np.ndarray, folder) -> float:
    """The definition in NumPy, float64, one image `H W 3` in [0, 1] each, straight from the weight files."""
    weights = {k: v.double().numpy() for k, v in torch.load(folder / FEATURES_FILE, weights_only=True).items()}
    loaded = torch.load(folder / HEADS_FILE, map_location="cpu", weights_only=True)
    heads = [loaded[f"lin{i}.model.1.weight"].double().numpy().ravel() for i in range(7)]

    def conv(x, name, stride=1, pad=0):
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        k = w.shape[2]
        windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))[:, ::stride, ::stride]
        return np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None]

    def pool(x):
        out = [-(-(n - 3) // 2) + 1 for n in x.shape[1:]]
        result = np.empty((len(x), *out))
        for i in range(out[0]):
            for j in range(out[1]):
                result[:, i, j] = x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max(axis=(1, 2))
        return result

    def fire(x, i):
        x = np.maximum(conv(x, f"{i}.squeeze"), 0)
        both = [conv(x, f"{i}.expand1x1"), conv(x, f"{i}.expand3x3", pad=1)]
        return np.maximum(np.concatenate(both), 0)

    def features(image):
        x = (2 * image - 1 - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
        x = np.maximum(conv(x.transpose(2, 0, 1), "0", stride=2), 0)
        found = [x]
        for stage in ((3, 4), (6, 7), (9,)):
            x = pool(x)
            for i in stage:
                x = fire(x, i)
            found.append(x)
        for i in (10, 11, 12):
            x = fire(x, i)
            found.append(x)
        return found

    total = 0.0
    for a, b, head in zip(features(first), features(second), heads, strict=True):
        a, b = (x / (np.sqrt((x**2).sum(axis=0)) + 1e-10) for x in (a, b))
        total += ((a - b) ** 2 * head[:, None, None]).sum(axis=0).mean()
    return total


def test_equals_its_definition(metric, shared):
    truth = images(0)
    other = (truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    ours = metric(other, truth)
    for v in range(2):
        expected = reference(other[v].double().numpy(), truth[v].double().numpy(), shared / "weights" / "lpips")
        assert ours[v].item() == pytest.approx(expected, rel=1e-3)


def test_is_zero_for_identical_symmetric_and_grows_with_noise(metric):
    truth = images(2, 64)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(3))
    assert metric(truth, truth).abs().max().item() == 0.0
    values = [metric((truth + level * noise).clamp(0, 1), truth).mean().item() for level in (0.02, 0.08, 0.3)]
    assert 0 < values[0] < values[1] < values[2] < 2
    other = images(4, 64)
    assert torch.allclose(metric(other, truth), metric(truth, other))


def test_smallest_images(metric):
    assert metric(images(0, 32), images(1, 32)).shape == (2,)
    with pytest.raises(ViewError, match="at least 32 pixels"):
        metric(images(0, 31), images(1, 31))


def test_without_weights_there_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYFIELDS_LPIPS", str(tmp_path / "nowhere"))
    found, reason = load_lpips()
    assert found is None and "not found" in str(reason) and "nowhere" in str(reason) and "\n" not in str(reason)
    with pytest.raises(ConfigError, match="not found"):
        load_lpips(tmp_path)


def test_a_foreign_file_is_refused_and_not_executed(tmp_path, monkeypatch):
    for name in (FEATURES_FILE, HEADS_FILE):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch %s/harm'\ntR." % bytes(tmp_path))
    monkeypatch.setenv("MANYFIELDS_LPIPS", str(tmp_path))
    found, reason = load_lpips()
    assert found is None and "cannot be used" in str(reason) and "\n" not in str(reason)
    assert not (tmp_path / "harm").exists()


def test_where_weights_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("MANYFIELDS_LPIPS", raising=False)
    monkeypatch.setenv("MANYFIELDS_SHARED", str(tmp_path))
    assert weights_folder() == tmp_path / "weights" / "lpips"
    monkeypatch.setenv("MANYFIELDS_LPIPS", str(tmp_path / "own"))
    assert weights_folder() == tmp_path / "own"
