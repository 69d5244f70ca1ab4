"""Inner steps against the same by hand; second order against finite differences; learning by either way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manyfields.errors import ConfigError
from manyfields.families.mixture.adaptation import AdaptationSettings, adapted, errors
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_fitter import InstanceFitter
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart
from manyfields.views.instances import Instance

CONFIG = MixtureConfig("images", 1, 8, 4, 3, w0=6.0)


def problem() -> tuple[MixtureFamily, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    family = MixtureFamily(CONFIG, generator).double()
    latents, points = torch.randn(2, 3, generator=generator), torch.rand(2, 7, 2, generator=generator)
    values = torch.rand(2, 7, 3, generator=generator)
    return family, latents.double(), points.double(), values.double()


def test_inner_steps_are_gradient_descent_on_each_instance_alone():
    family, latents, points, values = problem()
    found = adapted(family, latents, points, values, steps=2, rate=0.3, second_order=True)
    for row in range(2):
        own = latents[row : row + 1]
        for _ in range(2):
            own = own.detach().requires_grad_()
            loss = (family.values(own, points[row : row + 1]) - values[row : row + 1]).square().mean()
            own = own - 0.3 * torch.autograd.grad(loss, own)[0]
        assert torch.allclose(found[row], own[0])
    before, after = (errors(family, each, points, values) for each in (latents, found))
    assert (after < before).all()


def outer(family: MixtureFamily, steps: dict) -> torch.Tensor:
    _, latents, points, values = problem()
    return errors(family, adapted(family, latents, points, values, **steps), points, values).sum()


def test_second_order_gradients_are_those_of_the_whole_way():
    family, *_ = problem()
    way = {"steps": 3, "rate": 0.5, "second_order": True}
    gradient = torch.autograd.grad(outer(family, way), family.bases[1])[0]
    weight = family.bases[1]
    with torch.no_grad():
        for place in ((0, 0), (2, 5), (3, 70)):
            moved = []
            for step in (1e-6, -1e-6):
                weight[place] += step
                moved.append(outer(family, way))
                weight[place] -= step
            assert gradient[place].item() == pytest.approx(((moved[0] - moved[1]) / 2e-6).item(), rel=1e-4, abs=1e-9)


def test_first_order_gradients_are_those_of_the_end_alone():
    family, latents, points, values = problem()
    way = {"steps": 3, "rate": 0.5, "second_order": False}
    found = torch.autograd.grad(outer(family, way), family.bases[1])[0]
    with torch.no_grad():
        end = adapted(family, latents, points, values, steps=3, rate=0.5, second_order=False)
    expected = torch.autograd.grad(errors(family, end, points, values).sum(), family.bases[1])[0]
    assert torch.allclose(found, expected)
    second = torch.autograd.grad(outer(family, {**way, "second_order": True}), family.bases[1])[0]
    assert not torch.allclose(found, second)


def waves(count: int, side: int = 12) -> InstanceData:
    """Smooth images, each other than the last."""
    axis = np.linspace(0, 1, side)
    x, y = np.meshgrid(axis, axis)
    images = [np.stack([x * (n % 3) / 2, y * (n % 4) / 3, 0.5 + 0 * x], -1) for n in range(count)]
    values = (255 * np.stack(images)).astype(np.uint8).reshape(count, -1, 3)
    names = [f"i{n}" for n in range(count)]
    return InstanceData([Instance(*each, side) for each in zip(names, values, strict=True)])


PHASE = Phase("instances", 60, rgb=1.0, smoothness=0.0, codes_rate=0.03, base_rate=1e-3, fields_rate=1e-3)
PHASE = replace(PHASE, objects_per_step=4, rays_per_object=48)


def new_fitter(adaptation: str, seed: int = 0) -> InstanceFitter:
    spread = 1.0 if adaptation == "auto-decoding" else 0.01
    config = replace(CONFIG, width=16, bases=6, code_spread=spread, start_spread=min(0.5, spread))
    shared = SharedPart(MixtureFamily(config, torch.Generator().manual_seed(1)), None)
    data = waves(8)
    store = CodeStore(shared.family.new_codes(8, torch.Generator().manual_seed(2)))
    return InstanceFitter(shared, data, store, Sampler(), seed, settings=AdaptationSettings(12, adaptation))  # type: ignore


def measured(fitter: InstanceFitter) -> float:
    rows = torch.arange(8)
    with torch.no_grad():
        return float(
            errors(fitter.shared.family, fitter.codes_of(range(8)).tensors["latent"], *fitter.data.whole(rows)).mean()
        )


@pytest.mark.parametrize("adaptation", ["meta", "meta-first-order", "auto-decoding"])
def test_both_ways_learn(adaptation):
    fitter = new_fitter(adaptation)
    before = measured(fitter)
    codes = fitter.store.codes["latent"].clone()
    fitter.begin(PHASE)
    fitter.run(PHASE)
    assert measured(fitter) < 0.5 * before
    assert torch.equal(codes, fitter.store.codes["latent"]) == (adaptation != "auto-decoding")


@pytest.mark.parametrize("adaptation", ["meta", "auto-decoding"])
def test_a_resumed_fit_ends_with_the_same_bits(adaptation):
    whole, first, second = (new_fitter(adaptation) for _ in range(3))
    short = replace(PHASE, steps=8)
    whole.begin(short)
    whole.run(short)
    first.begin(short)
    for index in range(5):
        first.step(short, index)
    stored = {name: tensor.clone() for name, tensor in first.state().items()}
    second.load_shared(stored)
    second.begin(short)
    second.load(stored)
    second.run(short, 5)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, second.state()[name]), name


def gradient_of_a_step(phase: Phase) -> torch.Tensor:
    """What the optimizer of the shared part gets."""
    fitter, seen = new_fitter("auto-decoding"), []
    fitter.begin(phase)
    parameters = [one for group in fitter.optimizer.param_groups for one in group["params"]]
    look = lambda *_: seen.append(torch.cat([each.grad.flatten() for each in parameters]))  # noqa: E731
    fitter.optimizer.register_step_pre_hook(look)
    fitter.step(phase, 0)
    return seen[0]


@pytest.mark.parametrize("norm", [0.0, 1e-4, 1e3])
def test_gradients_of_the_shared_part_are_shortened(norm):
    found, whole = (gradient_of_a_step(replace(PHASE, steps=1, gradient_norm=each)) for each in (norm, 0.0))
    length = float(whole.norm())
    assert length > 1e-3
    assert torch.allclose(found, whole * (norm / length if 0 < norm < length else 1.0), rtol=1e-4, atol=1e-9)


def test_a_frozen_shared_part_keeps_every_bit():
    fitter = new_fitter("auto-decoding")
    before = {name: tensor.clone() for name, tensor in fitter.shared.state_dict().items()}
    frozen = replace(PHASE, steps=6, base_rate=0.0, fields_rate=0.0)
    fitter.begin(frozen)
    fitter.run(frozen)
    assert all(torch.equal(before[name], tensor) for name, tensor in fitter.shared.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adaptation": "magic"}, "adaptation 'magic': meta, meta-first-order, auto-decoding, principal"),
        ({"side": 3}, "side: at least 4"),
        ({"stored_steps": 0}, "stored_steps: at least 1"),
        ({"inner_rate": 0.0}, "inner_rate: above 0"),
    ],
)
def test_settings_without_meaning_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        AdaptationSettings(**change)
