import copy
import json
import sys

import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.latents import autoencoder_config, autoencoder_from_config, load_autoencoder
from manyfields.latents.stable_diffusion import drawn_shapes
from manyfields.latents.stored import autoencoder_bytes

diffusers = pytest.importorskip("diffusers", reason="the extra `sd` is not installed")


@pytest.fixture(autouse=True)
def nothing_from_the_hub(monkeypatch):
    """No test asks the network; what a user's environment names is not looked at."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("MANYFIELDS_TAESD", raising=False)


@pytest.fixture
def taesd(shared, monkeypatch):
    folder = shared / "weights" / "taesd"
    if not folder.is_dir():
        pytest.skip(f"no TAESD weights at {folder}")
    monkeypatch.setenv("MANYFIELDS_TAESD", str(folder))
    return folder


@pytest.fixture(scope="module")
def kl_folder(tmp_path_factory):
    """A variational autoencoder of the Stable Diffusion kind, tiny and untrained, as diffusers saves it."""
    torch.manual_seed(0)
    model = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        latent_channels=3,
    )
    folder = tmp_path_factory.mktemp("kl")
    model.save_pretrained(folder)
    return folder


# Measured on all 92 vehicles: 29.5 and 35.0 dB.
@pytest.mark.parametrize(("name", "channels", "expected"), [("taesd", 4, 29.5), ("taesd3", 16, 35.0)])
def test_taesd_round_trips_vehicles_as_measured(taesd, vehicles, round_trip, name, channels, expected):
    autoencoder = load_autoencoder(name)
    assert (autoencoder.channels, autoencoder.stride) == (channels, 8)
    assert autoencoder.needs_whitening
    assert abs(round_trip(autoencoder, vehicles) - expected) < 1.0


def test_taesd_is_rebuilt_from_its_config_state_and_file(taesd, tmp_path):
    autoencoder = load_autoencoder("taesd")
    images = drawn_shapes(2, 32)
    latents = autoencoder.encode(images)
    again = autoencoder_from_config(json.loads(json.dumps(autoencoder_config(autoencoder))))
    again.load_state_dict(autoencoder.state_dict())
    assert torch.equal(again.encode(images), latents)
    assert torch.equal(copy.deepcopy(autoencoder).decode(latents), autoencoder.decode(latents))
    # The published numbers are bfloat16, so 16-bit floats round only the smallest of them.
    file = tmp_path / "taesd.safetensors"
    file.write_bytes(autoencoder_bytes(autoencoder, {}))
    torch.testing.assert_close(load_autoencoder(str(file)).encode(images), latents, atol=1e-2, rtol=1e-2)


def test_statistics_start_at_those_of_drawn_shapes_and_move_to_those_of_views(taesd):
    autoencoder = load_autoencoder("taesd")
    latents = autoencoder.encode(drawn_shapes())
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), atol=1e-2, rtol=0)
    autoencoder.whiten(torch.rand(2, 3, 32, 32))
    assert not autoencoder.needs_whitening


def test_drawn_shapes_are_the_same_at_every_call_and_partly_white():
    images = drawn_shapes()
    assert images.shape == (4, 3, 128, 128) and torch.equal(images, drawn_shapes())
    assert images.min() >= 0 and images.max() == 1
    assert 0.1 < images.eq(1).all(1).float().mean() < 0.9


def test_a_folder_without_taesds_files_is_a_config_error(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYFIELDS_TAESD", str(tmp_path))
    with pytest.raises(ConfigError, match="has no taesd_encoder.safetensors; put it there, or unset"):
        load_autoencoder("taesd")


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_damaged_taesd_files_are_one_line_config_errors(taesd, tmp_path, monkeypatch, damage):
    for file in ("taesd_encoder.safetensors", "taesd_decoder.safetensors"):
        (tmp_path / file).write_bytes((taesd / file).read_bytes()[: 5000 if damage == "cut" else None])
    if damage == "other":
        (tmp_path / "taesd_encoder.safetensors").write_bytes((taesd / "taesd3_encoder.safetensors").read_bytes())
    monkeypatch.setenv("MANYFIELDS_TAESD", str(tmp_path))
    with pytest.raises(ConfigError, match=str(tmp_path)) as caught:
        load_autoencoder("taesd")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["taesd", "taesd3", "sd"])
def test_a_hub_that_cannot_be_reached_is_a_one_line_config_error(tmp_path, monkeypatch, name):
    def unreachable(*args, **kwargs):
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setenv("MANYFIELDS_SHARED", str(tmp_path))
    for known in (diffusers.AutoencoderTiny, diffusers.AutoencoderKL):
        monkeypatch.setattr(known, "from_pretrained", unreachable)
    with pytest.raises(ConfigError, match="cannot be read from the hub .*couldn't connect to the hub") as caught:
        load_autoencoder(name)
    assert "\n" not in str(caught.value) and "MANYFIELDS_TAESD" in str(caught.value)


def test_without_diffusers_the_error_names_the_extra(monkeypatch, kl_folder):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigError, match=r"pip install 'manyfields\[sd\]'"):
        load_autoencoder(str(kl_folder))


@torch.no_grad()
def test_a_variational_autoencoder_equals_diffusers_own(kl_folder):
    model = diffusers.AutoencoderKL.from_pretrained(kl_folder)
    autoencoder = load_autoencoder(str(kl_folder))
    assert (autoencoder.channels, autoencoder.stride) == (3, 2) and autoencoder.needs_whitening
    images = torch.rand(2, 3, 16, 24)
    mean = model.encode(2 * images - 1).latent_dist.mean
    latents = autoencoder.encode(images)
    torch.testing.assert_close(latents * autoencoder.std.view(1, -1, 1, 1) + autoencoder.mean.view(1, -1, 1, 1), mean)
    expected = (model.decode(mean).sample + 1) / 2
    torch.testing.assert_close(autoencoder.decode(latents), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_variational_autoencoder_is_rebuilt_from_its_config(kl_folder):
    autoencoder = load_autoencoder(str(kl_folder))
    again = autoencoder_from_config(json.loads(json.dumps(autoencoder_config(autoencoder))))
    again.load_state_dict(autoencoder.state_dict())
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(again.encode(images), autoencoder.encode(images))


def test_a_whole_stable_diffusion_folder_gives_its_vae(kl_folder, tmp_path):
    (tmp_path / "vae").symlink_to(kl_folder)
    assert load_autoencoder(str(tmp_path)).architecture["kind"] == "kl"


def test_folders_that_are_no_autoencoder_are_config_errors(tmp_path, kl_folder):
    with pytest.raises(ConfigError, match="has no config.json"):
        load_autoencoder(str(tmp_path))
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(ConfigError, match="is a UNet2DModel; known are AutoencoderTiny, AutoencoderKL"):
        load_autoencoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="config.json: cannot be read"):
        load_autoencoder(str(tmp_path))
    (tmp_path / "config.json").write_text((kl_folder / "config.json").read_text())
    with pytest.raises(ConfigError, match="cannot be read from the folder") as caught:
        load_autoencoder(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "vq"}, "kind 'vq' is not known here"),
        ({"kind": "tiny", "config": None}, "settings of the wrong kind"),
        ({"kind": "tiny", "config": {"magic": 1}}, "settings of the wrong kind"),
        ({"kind": "kl", "config": {"down_block_types": ["Nothing"], "block_out_channels": [8]}}, "of the wrong kind"),
    ],
)
def test_configs_that_are_not_known_are_config_errors(config, message):
    with pytest.raises(ConfigError, match=message):
        autoencoder_from_config({"autoencoder": "diffusers", **config})
