"""Features of images: SqueezeNet's, pooled, or Inception's where it can be had."""

import pytest
import torch

from manyfields.errors import ConfigError, ViewError
from manyfields.evaluation.image_features import load_image_features
from manyfields.evaluation.lpips import load_lpips


@pytest.fixture(autouse=True)
def no_inception(monkeypatch):
    monkeypatch.delenv("MANYFIELDS_INCEPTION", raising=False)


def test_squeezenet_features_are_means_of_its_last_stage(shared):
    folder = shared / "weights" / "lpips"
    features = load_image_features(folder)
    images = torch.rand(70, 40, 40, 3, generator=torch.Generator().manual_seed(0))
    found = features.of(images)
    assert features.name == "squeezenet" and found.shape == (70, 512) and found.dtype == torch.float64
    lpips, _ = load_lpips(folder)
    assert lpips is not None
    last = lpips.taps(images[65:66])[-1]
    assert torch.allclose(found[65], torch.tensor([float(each.mean()) for each in last[0]]).double(), atol=1e-4)


def test_bytes_are_the_same_images(shared):
    features = load_image_features(shared / "weights" / "lpips")
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    assert torch.allclose(features.of(images), features.of(images.float() / 255), atol=1e-5)


@pytest.mark.usefixtures("unchecked_shapes")
def test_images_that_are_too_small(shared):
    with pytest.raises(ViewError, match="at least 32 pixels"):
        load_image_features(shared / "weights" / "lpips").of(torch.zeros(1, 31, 40, 3))


def test_without_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYFIELDS_LPIPS", str(tmp_path))
    with pytest.raises(ConfigError, match="no features to compare sets of images in: LPIPS weights not found"):
        load_image_features()


def test_inception_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYFIELDS_INCEPTION", str(tmp_path / "inception.pth"))
    with pytest.raises(ConfigError, match="is no file"):
        load_image_features()


def test_inception_without_its_package(tmp_path, monkeypatch):
    fid = pytest.importorskip("torchmetrics.image.fid")

    def absent(*args):
        raise ModuleNotFoundError("torch-fidelity")

    monkeypatch.setattr(fid, "NoTrainInceptionV3", absent)
    (tmp_path / "inception.pth").write_bytes(b"")
    monkeypatch.setenv("MANYFIELDS_INCEPTION", str(tmp_path / "inception.pth"))
    with pytest.raises(ConfigError, match="pip install torch-fidelity"):
        load_image_features()


def test_inception_gets_bytes(tmp_path, monkeypatch):
    fid = pytest.importorskip("torchmetrics.image.fid")

    class StandIn(torch.nn.Module):
        def __init__(self, name, features, weights):
            super().__init__()
            assert features == ["2048"] and weights.endswith("inception.pth")

        def forward(self, images):
            assert images.dtype == torch.uint8 and images.shape[1] == 3
            return images.float().mean((2, 3))

    monkeypatch.setattr(fid, "NoTrainInceptionV3", StandIn)
    (tmp_path / "inception.pth").write_bytes(b"")
    monkeypatch.setenv("MANYFIELDS_INCEPTION", str(tmp_path / "inception.pth"))
    features = load_image_features()
    assert features.name == "inception"
    assert features.of(torch.full((2, 32, 32, 3), 0.5)).tolist() == [[128.0] * 3] * 2
