"""Transform coding of a tiny scene against its views."""

from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import ConfigError, RunError
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.stream import decode_coded, encode_coded, part_sizes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.transform.settings import SIZES, TransformSettings
from manyfields.rendering import Sampler

SAMPLER = Sampler(guided=8, bins=16)
TINY = TransformSettings(
    latent=4, hidden=6, steps=30, rays=64, network_rate=0.01, entropy_rate=0.05, price=1e-4, latent_rate=0.05
)


@pytest.fixture
def scene(tensors):
    """A column with views of it, and its shared part."""
    shared = tensors.new_shared()
    codes = tensors.column(shared.family)
    cameras = orbit(4, width=12, height=12)
    bounds = codes.grids[0].box
    with torch.no_grad():
        seen = shared.pictures(codes, cameras[None], bounds[None], SAMPLER)
    images = (seen.images[0].clamp(0, 1) * 255).round().to(torch.uint8)

    def new() -> FittingObject:
        return FittingObject("column", images.clone(), cameras, bounds, None, list(range(4)), [])

    return shared, codes.grids[0], new


def fitter(scene, **changes) -> TransformFitter:
    shared, grids, new = scene
    return TransformFitter(shared, new(), grids, SAMPLER, replace(TINY, **changes))


def test_a_scene_is_learned_and_stored(scene):
    losses = []
    made = fitter(scene, steps=80)
    coded = made.run(lambda step, each: losses.append(each))
    assert len(losses) == 80
    assert losses[-1]["planes"] < 0.75 * losses[0]["planes"]
    grids = coded.grids()
    assert grids.resolution == scene[1].resolution
    assert all(bool(torch.isfinite(tensor).all()) for tensor in grids.tensors)
    # What is stored is near what the last steps rendered.
    with torch.no_grad():
        planes, _ = made.model(TINY.coldest, True, torch.Generator().manual_seed(0))
    error = sum(float((plane - truth).square().mean()) for plane, truth in zip(planes, made.planes, strict=True))
    stored = sum(
        float((torch.cat(pair, -1).permute(2, 0, 1) - truth).square().mean())
        for pair, truth in zip(
            zip(grids.density.planes, grids.appearance.planes, strict=True), made.planes, strict=True
        )
    )
    assert stored == pytest.approx(error, rel=0.5)


def test_the_same_seed_gives_the_same_bytes(scene):
    one, two = (encode_coded(fitter(scene, steps=4).run()) for _ in range(2))
    assert one == two
    shared, grids, new = scene
    other = TransformFitter(shared, new(), grids, SAMPLER, replace(TINY, steps=4), seed=1)
    assert encode_coded(other.run()) != one


def test_a_higher_price_takes_fewer_bytes(scene):
    sizes = [
        part_sizes(encode_coded(fitter(scene, steps=60, price=price, latent_rate=0.2).run()))["latents"]
        for price in (0.0, 30.0)
    ]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": False},
        {"importance": False},
        {"start": "gaussian"},
        {"encoder": True},
        {"hyperprior": True},
        {"vectors": True},
        {"network": True},
    ],
    ids=str,
)
def test_what_the_paper_compares_with(changes, scene):
    made = fitter(scene, steps=3, **changes)
    coded = made.run()
    own = torch.cat([vector.flatten() for vector in coded.vectors])
    held = torch.cat([vector.flatten() for vector in fitter(scene).vectors])
    assert torch.equal(own, held) != ("vectors" in changes)
    assert (coded.network is not None) == ("network" in changes)
    if "mask" in changes:
        assert all(bool(mask.all()) for mask in coded.masks)
    if "start" in changes:
        assert all(bool(latents.any()) for latents in coded.latents)
    if "importance" in changes:
        assert made.importance[0].tolist() == [[1.0]]
    assert (coded.hyper is not None) == ("hyperprior" in changes)
    if "encoder" in changes:
        assert not any(bool(own.any()) for own in made.model.own)
        assert [own.shape for own in made.model.latents()] == [own.shape for own in made.model.own]


def test_the_network_that_learns_is_stored_as_bytes_give_it_back(scene):
    shared, _, _ = scene
    before = shared.family.numbers()
    for bits in (8, 16):
        coded = fitter(scene, steps=4, network=True, network_bits=bits, color_rate=0.1).run()
        assert torch.equal(shared.family.numbers(), before)
        assert not torch.allclose(coded.network, before, atol=0.01)
        again = decode_coded(encode_coded(coded), shared.family.config)
        assert torch.equal(again.network, coded.network) and again.network_bits == bits
        assert torch.equal(again.grids().network, coded.network)


def test_a_single_stage_learns_from_nothing(scene):
    losses = []
    made = fitter(scene, steps=100, end_to_end=True, price=1e-6)
    coded = made.run(lambda step, each: losses.append(each))
    shared, grids, _ = scene
    first, last = (sum(each["rgb"] for each in some) for some in (losses[:10], losses[-10:]))
    assert last < 0.5 * first and all(each["planes"] == 0 for each in losses)
    assert coded.network.shape == (shared.family.config.numbers,)
    assert coded.resolution == grids.resolution and torch.equal(coded.alpha, grids.mask)
    # Samples are placed by what is learned, no longer all alike.
    assert len(made.loss.guide.unique()) > 100


def test_a_single_stage_does_not_look_at_what_is_fitted(scene, tensors):
    shared, grids, new = scene
    other = tensors.noise(grids, seed=5)
    strange = tensors.new_shared()
    with torch.no_grad():
        for parameter in strange.family.parameters():
            parameter.mul_(3.0)
    settings = replace(TINY, steps=3, end_to_end=True)
    one = TransformFitter(shared, new(), grids, SAMPLER, settings).run()
    two = TransformFitter(strange, new(), other, SAMPLER, settings).run()
    assert encode_coded(one) == encode_coded(two)
    assert encode_coded(TransformFitter(shared, new(), grids, SAMPLER, settings, seed=1).run()) != encode_coded(one)


def test_rates_and_temperatures_decay():
    assert (TINY.temperature(0), TINY.rate_factor(0)) == (10.0, 1.0)
    assert TINY.temperature(TINY.steps) == pytest.approx(0.1)
    assert TINY.temperature(15) == pytest.approx(1.0) and TINY.rate_factor(30) == pytest.approx(0.1)
    paper = SIZES["L"]
    assert (paper.latent, paper.hidden, paper.steps, paper.latent_rate) == (384, 192, 30_000, 0.02)
    assert (SIZES["H"].latent, SIZES["H"].hidden) == (192, 96)


def test_the_estimate_is_that_of_the_bytes(scene, tensors):
    """On latents that were trained: within a percent."""
    shared, _, new = scene
    (grids,) = tensors.column(shared.family, side=48).grids
    changes = {"latent": 12, "steps": 60, "price": 1e-6, "latent_rate": 0.5, "start": "gaussian"}
    made = TransformFitter(shared, new(), grids, SAMPLER, replace(TINY, **changes))
    size = part_sizes(encode_coded(made.run()))["latents"]
    assert size > 1500 and abs(made.estimated_bytes() / size - 1) < 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": 0}, "latent 0"),
        ({"price": -1.0}, "lambda -1.0"),
        ({"steps": 0}, "steps 0"),
        ({"latent_rate": 0.0}, "rates and temperatures"),
        ({"decoder_bits": 16}, "decoder_bits 16"),
        ({"start": "ones"}, "start 'ones'"),
        ({"rounded": 2.0}, "rounded 2.0"),
        ({"network_bits": 4}, "network_bits 4: 8 or 16"),
        ({"vector_bits": 9}, "vector_bits 9"),
        ({"color_rate": 0.0}, "rates and temperatures"),
        ({"hyper_latent": 0}, "hyper_latent 0"),
        ({"encoder": True, "end_to_end": True}, "an encoder needs planes"),
    ],
)
def test_settings_without_meaning(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(TINY, **changes)


def test_vectors_alone_have_nothing_to_code(tensors, scene):
    shared = tensors.new_shared("cp")
    with pytest.raises(ConfigError, match="no planes to code"):
        TransformFitter(shared, scene[2](), tensors.random_codes(shared.family).grids[0], SAMPLER, TINY)


def test_divergence_is_told(scene):
    made = fitter(scene)
    with torch.no_grad():
        made.model.decoder.first_bias.fill_(float("nan"))
    with pytest.raises(RunError, match="object column: transform coding diverged at step 0"):
        made.step(0)
