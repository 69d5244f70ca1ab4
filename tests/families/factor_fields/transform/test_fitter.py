"""Transform coding of a tiny scene of factor fields against its views."""

from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError, RunError
from manyfields.families.factor_fields.importance import basis_importance
from manyfields.families.factor_fields.transform.fitter import FactorTransformFitter
from manyfields.families.factor_fields.transform.stream import encode_factors, factor_part_sizes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.rendering import Sampler
from manyfields.rendering.seen_places import seen_places

SAMPLER = Sampler(guided=8, bins=16)
TINY = TransformSettings(
    latent=4, hidden=6, steps=30, rays=64, network_rate=0.01, entropy_rate=0.05, price=1e-4, latent_rate=0.05
)


@pytest.fixture
def scene(factors):
    """Grids with views of them, and their shared part."""
    shared = factors.new_shared(replace(factors.CONFIG, density_shift=0.0, sides=(6, 9, 13)))
    grids = factors.random_grids(shared.family.config)
    cameras = orbit(4, width=12, height=12)
    with torch.no_grad():
        seen = shared.pictures(grids.codes(), cameras[None], grids.box[None], SAMPLER)
    images = (seen.images[0].clamp(0, 1) * 255).round().to(torch.uint8)

    def new() -> FittingObject:
        return FittingObject("noise", images.clone(), cameras, grids.box.clone(), None, list(range(4)), [])

    return shared, grids, new


def fitter(scene, seed: int = 0, **changes) -> FactorTransformFitter:
    shared, grids, new = scene
    return FactorTransformFitter(shared, new(), grids, SAMPLER, replace(TINY, **changes), seed)


def test_a_scene_is_learned_and_stored(scene):
    losses = []
    made = fitter(scene, steps=150, latent=24, hidden=12, price=0.0)
    coded = made.run(lambda step, each: losses.append(each))
    assert len(losses) == 150 and losses[-1]["planes"] < 0.8 * losses[0]["planes"]
    grids = coded.grids()
    # What is stored is near what the last steps rendered.
    with torch.no_grad():
        volumes, _ = made.model(TINY.coldest, True, torch.Generator().manual_seed(0))
        rendered = made.grids_of(volumes)
    for own, other in zip(grids.bases, rendered.bases, strict=True):
        assert own.shape == other.shape
        assert float((own - other).square().mean()) < 0.3 * float(other.square().mean())
    largest = float(scene[1].coefficients.abs().max())
    torch.testing.assert_close(grids.coefficients, scene[1].coefficients, atol=largest / 200, rtol=0)


def test_importance_is_where_rays_read_basis_grids(scene):
    made = fitter(scene)
    assert [tuple(own.shape) for own in made.importance] == [(6,) * 3, (9,) * 3, (13,) * 3]
    assert all(float(own.min()) == 0.0 and float(own.max()) == 1.0 for own in made.importance)
    rays, weights = made.rays_of_importance()
    field = made.shared.family.field(made.grids.codes())
    given = {"bounds": made.loss.data.bounds, "guide": made.loss.guide}
    scores = basis_importance(field, rays, weights, SAMPLER, **given)
    total = sum(float(seen.sum()) for _, seen in seen_places(field, rays, weights, SAMPLER, **given))
    # What a sample adds is shared out among eight texels of each grid.
    assert [float(own.sum()) for own in scores] == pytest.approx([total] * 3, rel=1e-3)


def test_the_same_seed_gives_the_same_bytes(scene):
    one, two, other = (encode_factors(fitter(scene, seed, steps=4).run()) for seed in (0, 0, 1))
    assert one == two and one != other


def test_a_higher_price_takes_fewer_bytes(scene):
    sizes = [
        factor_part_sizes(encode_factors(fitter(scene, steps=60, price=price, latent_rate=0.2).run()))["latents"]
        for price in (0.0, 30.0)
    ]
    assert sizes[1] < sizes[0]


def test_the_estimate_is_that_of_the_bytes(scene):
    made = fitter(scene, latent=48, steps=60, price=1e-6, latent_rate=0.5, start="gaussian")
    size = factor_part_sizes(encode_factors(made.run()))["latents"]
    assert size > 1500 and abs(made.estimated_bytes() / size - 1) < 0.01


@pytest.mark.parametrize(
    "changes", [{"mask": False}, {"importance": False}, {"vectors": True}, {"vector_bits": 16}], ids=str
)
def test_variants(changes, scene):
    made = fitter(scene, steps=3, **changes)
    coded = made.run()
    assert torch.equal(coded.coefficients, fitter(scene).vectors[0].detach()) != bool(
        {"vectors", "vector_bits"} & set(changes)
    )
    if "mask" in changes:
        assert all(bool(mask.all()) for mask in coded.masks)
    if "vector_bits" in changes:
        assert torch.equal(coded.coefficients, scene[1].coefficients.half().float())


@pytest.mark.parametrize("name", ["encoder", "hyperprior", "network", "end_to_end"])
def test_variants_of_planes_are_refused(name, scene):
    with pytest.raises(ConfigError, match=f"{name}: transform coding of factor fields does not have it"):
        fitter(scene, **{name: True})


def test_divergence_is_told(scene):
    made = fitter(scene)
    with torch.no_grad():
        made.model.decoder.first_bias.fill_(float("nan"))
    with pytest.raises(RunError, match="object noise: transform coding diverged at step 0"):
        made.step(0)
