"""The averaged network against a plain loop over instances and bases; sizes; the start."""

import numpy as np
import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.siren import evaluate, layer_sizes, siren_start
from manyfields.families.registry import family_config, family_from_config

SCENES_S = MixtureConfig()
IMAGES_L = MixtureConfig(signal="images", hidden_layers=5, width=128, bases=384, latent=512)
TINY = MixtureConfig(hidden_layers=2, width=8, bases=5, latent=6)


def parameters(family: MixtureFamily) -> int:
    return sum(parameter.numel() for parameter in family.parameters())


@pytest.mark.parametrize(
    ("config", "inference", "learnable"),
    [
        (SCENES_S, 17_156, 4_590_080),
        (IMAGES_L, 83_331, 33_378_048),
        # Table 4: (L, W, M, H) of images with other coefficients.
        (MixtureConfig("images", 2, 64, 64, 64, "shared"), 8_707, 557_248),
        (MixtureConfig("images", 2, 64, 64, 256, "layers"), 8_707, 557_248),
        (MixtureConfig("images", 2, 64, 64, 256, "latent"), 8_707, 623_040),
    ],
)
def test_parameter_counts_are_the_papers(config, inference, learnable):
    assert (config.network, config.learnable) == (inference, learnable)
    family = MixtureFamily(config)
    assert parameters(family) == learnable
    codes = family.new_codes(1).tensors["latent"]
    assert sum(layer.numel() for layer in family.networks(codes)) == inference


def by_loops(family: MixtureFamily, latents: torch.Tensor, points: torch.Tensor) -> np.ndarray:
    """Equation 6 as it is written: in every layer the outputs of all bases, weighted and summed. In float64."""
    config = family.config
    weights = family.coefficients(latents).detach().double().numpy()
    results = []
    for row, own in enumerate(points.double().numpy()):
        hidden = own
        for index, (inputs, outputs) in enumerate(config.sizes):
            total = np.zeros((len(own), outputs))
            for m in range(config.bases):
                numbers = family.bases[index][m].detach().double().numpy()
                matrix, bias = numbers[: inputs * outputs].reshape(outputs, inputs), numbers[inputs * outputs :]
                total += weights[row, index, m] * (hidden @ matrix.T + bias)
            hidden = total if index == len(config.sizes) - 1 else np.sin(config.w0 * total)
        results.append(hidden)
    return np.stack(results)


@pytest.mark.parametrize("coefficients", ["latent", "layers", "shared"])
@pytest.mark.parametrize("signal", ["scenes", "images", "voxels"])
def test_the_average_network_is_the_average_of_networks(signal, coefficients):
    config = MixtureConfig(signal, 2, 8, 5, 6, coefficients, w0=3.0)
    family = MixtureFamily(config, torch.Generator().manual_seed(1))
    latents = family.new_codes(3, torch.Generator().manual_seed(2)).tensors["latent"]
    points = torch.rand(3, 7, config.sizes[0][0]) * 2 - 1
    expected = by_loops(family, latents, points)
    found = evaluate(config.sizes, family.networks(latents), points, config.w0)
    assert np.allclose(found.detach().numpy(), expected, atol=1e-5)
    if signal == "scenes":
        seen = family.field(family.new_codes(3, torch.Generator().manual_seed(2)))(points)
        assert np.allclose(seen.channels.detach().numpy(), expected[..., :3] + 0.5, atol=1e-5)
        raised = 20.0 * expected[..., 3] - 3.0
        density = 25.0 * (np.where(raised > 0, raised, np.expm1(raised)) + 1.0)
        assert np.allclose(seen.density.detach().numpy(), density, rtol=1e-4, atol=1e-3)
    else:
        assert np.allclose(family.values(latents, points).detach().numpy(), expected + 0.5, atol=1e-5)


@pytest.mark.parametrize("coefficients", ["latent", "layers", "shared"])
def test_the_average_starts_as_a_siren(coefficients):
    """Pre-activations of every layer have the spread that those of one SIREN have, which averaging would shrink."""
    config = MixtureConfig("scenes", 4, 64, 256, 128, coefficients)
    generator = torch.Generator().manual_seed(0)
    family = MixtureFamily(config, generator)
    points = torch.rand(1, 4000, 3, generator=generator) * 2 - 1
    one = siren_start(config.sizes, 1, config.w0, generator)
    for codes, least, most in ((0.0, 0.8, 1.25), (1.0, 0.8, 1.6)):
        latents = codes * family.new_codes(1, generator).tensors["latent"]
        for found, expected in zip(
            spreads(config, family.networks(latents), points), spreads(config, one, points), strict=True
        ):
            assert least < found / expected < most
    plain = [base.detach() / 256**0.5 for base in family.bases]
    shrunk = [layer.mean(0, keepdim=True) for layer in plain]
    assert spreads(config, shrunk, points)[1] < 0.2 < 2.0 < spreads(config, one, points)[1]


def spreads(config: MixtureConfig, layers: list[torch.Tensor], points: torch.Tensor) -> list[float]:
    """Standard deviation of w0 (W h + b) in every layer but the last, of one network."""
    hidden, found = points, []
    for (inputs, outputs), numbers in zip(config.sizes[:-1], layers, strict=False):
        matrix, bias = numbers[0, : inputs * outputs].view(outputs, inputs), numbers[0, inputs * outputs :]
        before = config.w0 * (hidden @ matrix.T + bias)
        found.append(before.std().item())
        hidden = before.sin()
    return found


def test_gradients_reach_bases_projection_and_codes():
    family = MixtureFamily(TINY).double()
    latents = family.new_codes(2).tensors["latent"].double().requires_grad_()
    points = torch.rand(2, 3, 3).double()
    assert torch.autograd.gradcheck(lambda codes: family.values(codes, points), latents)
    family.values(latents, points).square().sum().backward()
    assert latents.grad.abs().min() > 0
    for parameter in family.parameters():
        assert parameter.grad.abs().max() > 0


def test_halves_come_near_the_whole():
    config = MixtureConfig(bases=8, latent=4)
    family = MixtureFamily(config, torch.Generator().manual_seed(0))
    latents, points = torch.randn(2, 4), torch.rand(2, 500, 3) * 2 - 1
    with torch.no_grad():
        whole = family.values(latents, points)
        with torch.autocast("cpu", torch.bfloat16):
            half = family.values(latents, points)
    assert half.dtype == torch.float32
    assert 0 < (half - whole).abs().mean() < 0.05 * whole.std()


def test_a_family_is_rebuilt_from_its_config_and_state():
    family = MixtureFamily(TINY)
    again = family_from_config(family_config(family))
    again.load_state_dict(family.state_dict())
    codes, points = family.new_codes(2), torch.rand(2, 3, 3)
    assert torch.equal(family.field(codes)(points).density, again.field(codes)(points).density)
    with pytest.raises(ConfigError, match="signal 'sound': one of scenes, images, voxels"):
        family_from_config({"family": "mixture", "signal": "sound"})


def test_codes_begin_apart_and_new_objects_at_the_average():
    family = MixtureFamily(TINY, torch.Generator().manual_seed(0))
    codes = family.new_codes(64, torch.Generator().manual_seed(1))
    assert 0.8 < codes.tensors["latent"].std() < 1.2
    assert family.average_codes(2).tensors["latent"].abs().max() == 0
    family.remember_average(codes)
    assert torch.allclose(family.average_codes(2).tensors["latent"][1], codes.tensors["latent"].mean(0))
    assert family.balance(codes) is codes


def test_fields_are_those_of_scenes_alone():
    family = MixtureFamily(MixtureConfig("images", 1, 8, 4, 4))
    with pytest.raises(ConfigError, match="this mixture holds images: they have no views"):
        family.field(family.new_codes(1))
    field = MixtureFamily(TINY).field(MixtureFamily(TINY).new_codes(2))
    assert len(field) == 2 and len(field[1]) == 1
    with pytest.raises(IndexError, match="object 2 of 2"):
        field[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": "none"}, "coefficients 'none': latent, layers or shared"),
        ({"bases": 0}, "bases 0: must be at least 1"),
        ({"hidden_layers": -1}, "hidden_layers -1: must be at least 0"),
        ({"w0": 0.0}, "code_spread, start_spread, w0, density_gain and density_steepness: above 0"),
    ],
)
def test_sizes_without_meaning_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        MixtureConfig(**change)


def test_layers_are_counted_as_the_paper_does():
    assert layer_sizes(3, 64, 4, 4) == ((3, 64), (64, 64), (64, 64), (64, 64), (64, 64), (64, 4))
