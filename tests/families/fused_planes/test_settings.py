"""Sizes and presets of fused planes."""

import pytest

from manyfields.errors import ConfigError
from manyfields.families.registry import presets
from manyfields.runs.settings import chosen_settings, settings_from


def code_bytes(name: str, stage1_objects: int) -> dict[str, int]:
    settings = presets()[name]
    shapes = settings.code_shapes(stage1_objects)
    sizes = {}
    for tensor, shape in shapes.items():
        sizes[tensor] = 4
        for side in shape:
            sizes[tensor] *= side
    return sizes


@pytest.mark.parametrize(
    ("name", "micro", "weights"),
    [
        ("fused-planes", 491_520, 200),
        ("tri-planes", 1_572_864, None),
        ("micro-only", 1_572_864, None),
        ("macro-only", None, 200),
        ("m1", 491_520, 4),
        ("m75", 491_520, 300),
    ],
)
def test_codes_have_the_sizes_of_the_paper(name, micro, weights):
    """In float32, for 500 objects in stage 1 (Fused-Planes, ICLR 2026)."""
    sizes = code_bytes(name, 500)
    assert sizes.get("micro") == micro and sizes.get("weights") == weights


@pytest.mark.parametrize(("objects", "planes"), [(1, 1), (7, 1), (24, 6), (199, 49), (500, 50)])
def test_base_planes_are_too_few_to_memorise_objects(objects, planes):
    assert presets()["fused-planes"].config(objects).base_planes == planes


@pytest.mark.parametrize(("planes", "groups"), [(1, 22), (3, 22), (6, 11), (12, 2), (50, 1), (75, 1)])
def test_layer_0_keeps_within_about_a_hundred_bytes(planes, groups):
    settings = settings_from("fused-planes", {"base_planes": planes})
    assert settings.config(500).weight_groups == groups
    assert settings_from("fused-planes", {"weight_groups": 1}).config(24).weight_groups == 1


@pytest.mark.parametrize("name", [name for name in presets() if name != "latent"])
def test_rgb_presets_train_nothing_that_needs_latents(name):
    settings = presets()[name]
    for phase in (*settings.stage1, *settings.stage2):
        assert not (phase.latent or phase.autoencoder or phase.encoder_rate or phase.decoder_rate) and phase.rgb


def test_an_autoencoder_for_a_family_that_has_none():
    with pytest.raises(ConfigError, match="'fused-planes' renders RGB and has none; use preset 'latent'"):
        chosen_settings(None, {}, {"autoencoder": "taesd"})
    assert chosen_settings("latent", {}, {"autoencoder": "taesd"}).autoencoder == "taesd"
