"""Auto-decoding of scenes: what learns, that it learns, that it repeats, and that fields stay empty outside."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import RunError
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.fitter import MixtureFitter
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, load_object
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

PHASE = Phase(
    "mixture",
    30,
    rgb=1.0,
    smoothness=0.0,
    emptiness=0.1,
    code_decay=1e-4,
    codes_rate=1e-2,
    base_rate=1e-3,
    fields_rate=1e-3,
    objects_per_step=2,
    rays_per_object=64,
)


@pytest.fixture
def make_mixture(tiny_views):
    """New fitters that all start from the same state."""

    def make(hull: int = 12, seed: int = 0, **changes) -> MixtureFitter:
        config = MixtureConfig(**{"hidden_layers": 2, "width": 16, "bases": 6, "latent": 4, "w0": 10.0, **changes})
        generator = torch.Generator().manual_seed(1)
        shared = SharedPart(MixtureFamily(config, generator), None)
        data = FittingData([load_object(views, (16, 16), seed=0, hull=hull) for views in tiny_views])
        codes = CodeStore(shared.family.new_codes(len(data), generator))
        return MixtureFitter(shared, data, codes, Sampler(4, 0, guided=6, bins=16), seed)

    return make


def losses_of(fitter: MixtureFitter, phase: Phase) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    fitter.begin(phase)
    fitter.run(phase, 0, lambda done, losses: found.append(losses))
    return found


@pytest.mark.parametrize("coefficients", ["latent", "layers", "shared"])
def test_losses_fall(make_mixture, coefficients):
    found = losses_of(make_mixture(coefficients=coefficients), replace(PHASE, steps=60))
    assert found[0].keys() == {"rgb", "emptiness", "codes"}
    first, last = (sum(losses["rgb"] for losses in part) for part in (found[:15], found[-15:]))
    assert last < 0.8 * first


def test_without_hulls_rays_are_sampled_all_along(make_mixture):
    fitter = make_mixture(hull=0)
    assert fitter.guides is None
    found = losses_of(fitter, PHASE)
    assert found[0].keys() == {"rgb", "codes"}
    assert sum(each["rgb"] for each in found[-8:]) < sum(each["rgb"] for each in found[:8])
    assert make_mixture(guide_side=0).guides is None


@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_a_frozen_shared_part_keeps_every_bit(make_mixture, rate):
    fitter = make_mixture()
    before = {name: tensor.clone() for name, tensor in fitter.state().items()}
    losses_of(fitter, replace(PHASE, steps=6, base_rate=rate, fields_rate=rate))
    after = fitter.state()
    shared = [name for name in before if name.startswith("shared/family.") and not name.endswith("start")]
    assert len(shared) == 6
    assert all(torch.equal(before[name], after[name]) == (rate == 0) for name in shared)
    assert not torch.equal(before["codes/code.latent"], after["codes/code.latent"])


def test_only_codes_of_the_objects_of_a_step_move(make_mixture):
    fitter = make_mixture()
    fitter.begin(PHASE)
    before = fitter.store.codes["latent"].clone()
    fitter.step(PHASE, 0)
    moved = (fitter.store.codes["latent"] != before).any(-1)
    assert int(moved.sum()) == 2


def test_a_resumed_fit_ends_with_the_same_bits(make_mixture):
    whole, first, second = make_mixture(), make_mixture(), make_mixture(seed=0)
    losses_of(whole, PHASE)
    first.begin(PHASE)
    for index in range(17):
        first.step(PHASE, index)
    stored = {name: tensor.clone() for name, tensor in first.state().items()}
    second.load_shared(stored)
    second.begin(PHASE)
    second.load(stored)
    second.run(PHASE, 17)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, second.state()[name]), name


def test_fields_are_empty_outside_of_hulls_afterwards(make_mixture):
    found = {}
    for emptiness in (0.0, 1.0):
        fitter = make_mixture()
        losses_of(fitter, replace(PHASE, steps=80, emptiness=emptiness, base_rate=3e-3))
        field = fitter.shared.family.field(fitter.codes_of(range(3)))
        places = torch.rand(1, 4000, 3, generator=torch.Generator().manual_seed(5)).expand(3, -1, -1) * 2 - 1
        low, high = fitter.data.bounds.unsqueeze(1).unbind(2)
        beside = ~((places > low) & (places < high)).all(-1)
        with torch.no_grad():
            found[emptiness] = field(places).density[beside].mean()
    assert found[1.0] < 0.5 * found[0.0]


def test_a_diverged_fit_says_so(make_mixture):
    fitter = make_mixture()
    with torch.no_grad():
        fitter.store.codes["latent"][0, 0] = float("nan")
    with pytest.raises(RunError, match="phase 'mixture' diverged before step 0"):
        losses_of(fitter, replace(PHASE, objects_per_step=3))


def test_pictures_are_those_of_the_floats(make_mixture):
    fitter = make_mixture()
    seen = fitter.pictures(1, fitter.data.objects[1].cameras[:2], Sampler(4, 4, guided=4, bins=8))
    assert seen.images.shape == (1, 2, 3, 16, 16) and bool(torch.isfinite(seen.images).all())


def test_noise_of_codes_is_that_of_the_step(make_mixture):
    """It is drawn with the step: the same twice, and none where it is 0."""
    noisy = replace(PHASE, steps=3, code_noise=0.5)
    first, again, plain = (losses_of(make_mixture(), phase) for phase in (noisy, noisy, replace(PHASE, steps=3)))
    assert first == again
    assert first[0]["rgb"] != plain[0]["rgb"]
