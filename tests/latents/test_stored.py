import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from manyfields.errors import ConfigError
from manyfields.latents import autoencoder_config, autoencoder_from_config, load_autoencoder
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.latents.stored import autoencoder_bytes

TINY = CompactConfig(channels=3, stride=4, width=8, encoder_blocks=1, decoder_blocks=1, fine_width=4)
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    made = compact_autoencoder(TINY)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(parameter.half().float())  # what the file can hold exactly
    made.whiten(IMAGES)
    return made


@pytest.fixture
def file(autoencoder, tmp_path):
    path = tmp_path / "ours.safetensors"
    path.write_bytes(autoencoder_bytes(autoencoder, {"sources": ["nothing"]}))
    return path


def test_a_file_gives_the_same_autoencoder(autoencoder, file):
    again = load_autoencoder(str(file))
    assert again.architecture == autoencoder.architecture and not again.needs_whitening
    assert torch.equal(again.mean, autoencoder.mean) and torch.equal(again.std, autoencoder.std)
    latents = autoencoder.encode(IMAGES)
    torch.testing.assert_close(again.encode(IMAGES), latents)
    torch.testing.assert_close(again.decode(latents), autoencoder.decode(latents))


def test_a_file_holds_halves_and_its_properties(file):
    with safe_open(file, "pt") as opened:
        assert json.loads(opened.metadata()["properties"]) == {"sources": ["nothing"]}
        kinds = {name: opened.get_tensor(name).dtype for name in opened.keys()}  # noqa: SIM118
    assert {name for name, kind in kinds.items() if kind == torch.float32} == {"mean", "std"}
    assert set(kinds.values()) == {torch.float16, torch.float32}


def test_a_config_rebuilds_the_architecture(autoencoder):
    again = autoencoder_from_config(json.loads(json.dumps(autoencoder_config(autoencoder))))
    again.load_state_dict(autoencoder.state_dict())
    assert torch.equal(again.encode(IMAGES), autoencoder.encode(IMAGES))


def damaged(data: bytes, how: str) -> bytes:
    if how == "cut":
        return data[: len(data) // 2]
    if how == "empty":
        return b""
    if how == "noise":
        return bytes(range(256)) * 4
    if how == "header":
        return data[:20] + b"}" + data[21:]
    if how == "no architecture":
        return save({"mean": torch.zeros(3)})
    if how == "other sizes":
        return data.replace(b'\\"width\\": 8', b'\\"width\\": 9')
    assert how == "not an object"
    return save({"mean": torch.zeros(3)}, {"architecture": "3"})


@pytest.mark.parametrize("how", ["cut", "empty", "noise", "header", "no architecture", "other sizes", "not an object"])
def test_a_damaged_file_is_a_one_line_config_error_that_names_it(file, how):
    whole = file.read_bytes()
    file.write_bytes(damaged(whole, how))
    assert file.read_bytes() != whole
    with pytest.raises(ConfigError, match="ours.safetensors: not one of ours, or damaged") as caught:
        load_autoencoder(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"autoencoder": "compact", "magic": 1}, "has no setting 'magic'"),
        ({"autoencoder": "compact", "width": "wide"}, "settings of the wrong kind"),
        ({"autoencoder": "compact", "stride": 3}, "stride 3"),
        ({"autoencoder": "wavelets"}, "'wavelets' is not known here"),
        ({}, "None is not known here"),
    ],
)
def test_a_config_that_is_not_known_is_a_config_error(config, message):
    with pytest.raises(ConfigError, match=message):
        autoencoder_from_config(config)


def test_a_name_that_is_neither_known_nor_a_file_is_a_config_error():
    with pytest.raises(ConfigError, match="'vqgan': not compact, taesd, taesd3 or sd, and no such file"):
        load_autoencoder("vqgan")


def test_the_shipped_weights_win_over_a_folder_of_the_same_name(tmp_path, monkeypatch):
    (tmp_path / "compact").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_autoencoder("compact").architecture["autoencoder"] == "compact"


def test_the_shipped_weights_round_trip_vehicles_they_were_not_trained_on(vehicles, round_trip):
    autoencoder = load_autoencoder("compact")
    assert autoencoder.stride == 8 and autoencoder.channels == 16 and not autoencoder.needs_whitening
    assert round_trip(autoencoder, vehicles) >= 29.0


def test_the_shipped_latents_are_whitened(vehicles):
    with torch.no_grad():
        latents = load_autoencoder("compact").encode(vehicles)
    # Vehicles are not the data of the statistics, so only the order of magnitude is theirs.
    assert 0.4 < latents.std() < 2.5 and latents.mean().abs() < 0.5
    assert (latents.std((0, 2, 3)) > 0.2).all() and (latents.std((0, 2, 3)) < 4).all()


def test_shipped_white_is_one_latent_up_to_the_rim_and_decodes_to_white():
    autoencoder = load_autoencoder("compact")
    white = torch.ones(1, 3, 128, 128)
    with torch.no_grad():
        latents = autoencoder.encode(white)
        again = autoencoder.decode(latents)
    torch.testing.assert_close(latents, latents[..., 8:9, 8:9].expand_as(latents), atol=1e-3, rtol=1e-3)
    assert (again - white).abs().max() < 0.1
