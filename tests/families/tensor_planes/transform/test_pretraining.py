"""Codecs that are learned from other scenes, and what they make of new ones."""

from dataclasses import replace

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.errors import CollectionError, ConfigError, RunError
from manyfields.families.tensor_planes.stacked_planes import stacked_planes
from manyfields.families.tensor_planes.transform.fitter import TransformFitter
from manyfields.families.tensor_planes.transform.learned import LearnedTransform
from manyfields.families.tensor_planes.transform.pretraining import learn_transform
from manyfields.families.tensor_planes.transform.scene import CommonTransform
from manyfields.families.tensor_planes.transform.stream import decode_coded, encode_coded
from manyfields.fitting.data import FittingObject
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.rendering import Sampler

SAMPLER = Sampler(guided=8, bins=16)
TINY = TransformSettings(
    latent=6, hidden=8, steps=150, rays=64, network_rate=0.01, entropy_rate=0.05, price=1e-3, latent_rate=0.05
)
CHANNELS, SIDE = 12, 13


def waves(seed: int) -> list[torch.Tensor]:
    """Planes of few kinds: channels are mixtures of two smooth images, the same mixtures in all scenes."""
    mixture = torch.randn(CHANNELS, 2, generator=torch.Generator().manual_seed(9))
    draw = torch.Generator().manual_seed(seed)
    axis = torch.linspace(0, 6, SIDE)
    made = []
    for _ in range(3):
        phases = 6 * torch.rand(2, 2, generator=draw)
        images = torch.stack([torch.sin(axis[:, None] + a) * torch.sin(axis + b) for a, b in phases])
        made.append((mixture @ images.flatten(1)).view(CHANNELS, SIDE, SIDE))
    return made


@pytest.fixture(scope="module")
def learned() -> LearnedTransform:
    return learn_transform([waves(seed) for seed in range(6)], TINY)


@pytest.fixture
def new_scene(tensors):
    """A scene that the codec has not seen: shared part, grids, and an object with views."""
    shared = tensors.new_shared()
    box = torch.tensor([[-0.5] * 3, [0.5] * 3])
    grids = shared.family.new_grids(box, (SIDE,) * 3, tensors.generator())
    planes = [plane.permute(1, 2, 0).split((4, 8), -1) for plane in waves(77)]
    density = replace(grids.density, planes=tuple(own.contiguous() for own, _ in planes))
    appearance = replace(grids.appearance, planes=tuple(own.contiguous() for _, own in planes))
    images = torch.full((3, 3, 8, 8), 200, dtype=torch.uint8)
    item = FittingObject("new", images, orbit(3, width=8, height=8), box, None, list(range(3)), [])
    return shared, replace(grids, density=density, appearance=appearance), item


def error(grids, truth) -> float:
    pairs = zip(stacked_planes(grids), stacked_planes(truth), strict=True)
    return float(torch.stack([(one - two).square().mean() for one, two in pairs]).mean())


def test_a_scene_that_was_not_seen_is_coded_in_one_pass(learned, new_scene):
    shared, grids, _ = new_scene
    coded = learned.coded(grids, TINY)
    data = encode_coded(coded)
    again = decode_coded(data, shared.family.config, learned.common)
    power = float(torch.stack([plane.square().mean() for plane in stacked_planes(grids)]).mean())
    assert error(again.grids(), grids) < 0.5 * power
    assert again.common and len(data) < 1500
    assert all(bool(own[:, mask].any(0).all()) for own, mask in zip(again.latents, again.masks, strict=True))
    assert all(bool(mask.all()) for mask in learned.coded(grids, replace(TINY, mask=False)).masks)


def test_steps_move_latents_alone(learned, new_scene):
    shared, grids, item = new_scene
    before = {name: tensor.clone() for name, tensor in learned.encoder_tensors().items()}
    settings = replace(TINY, steps=60, price=0.0, importance=False, plane_weight=10.0, latent_rate=0.1)
    made = TransformFitter(shared, item, grids, SAMPLER, settings, 0, learned)
    coded = made.run()
    again = decode_coded(encode_coded(coded), shared.family.config, learned.common)
    once = learned.coded(grids, settings)
    assert error(again.grids(), grids) < error(once.grids(), grids)
    assert coded.decoder is learned.common.decoder and coded.tables is learned.common.tables
    assert all(torch.equal(before[name], tensor) for name, tensor in learned.encoder_tensors().items())


def test_it_comes_back_from_tensors(learned, new_scene):
    grids = new_scene[1]
    common = CommonTransform.from_tensors(learned.common.tensors(), learned.common.config())
    again = LearnedTransform.of(common, learned.encoder_tensors())
    assert encode_coded(again.coded(grids, TINY)) == encode_coded(learned.coded(grids, TINY))
    tensors = learned.encoder_tensors()
    with pytest.raises(CollectionError, match="encoder of a learned codec does not fit"):
        LearnedTransform.of(common, {**tensors, "encoder.first.bias": torch.zeros(3)})
    with pytest.raises(CollectionError, match="encoder of a learned codec does not fit"):
        LearnedTransform.of(common, None)


def test_latents_beyond_the_tables_are_brought_back(learned):
    far = torch.randint(-2000, 2000, (6, 4, 4), generator=torch.Generator().manual_seed(1))
    (whole,) = learned.within([far])
    tables = learned.common.tables
    assert bool((tables.frequencies.gather(1, whole.flatten(1) - tables.lowest) > 0).all())
    near = torch.zeros_like(far)
    assert torch.equal(learned.within([near])[0], near)


def test_the_same_seed_learns_the_same(learned):
    scenes, settings = [waves(0), waves(1)], replace(TINY, steps=3)
    one, two, three = (learn_transform(scenes, settings, seed).common.tensors() for seed in (0, 0, 1))
    assert torch.equal(one["decoder"], two["decoder"]) and not torch.equal(one["decoder"], three["decoder"])


def test_what_cannot_be_learned_from():
    with pytest.raises(ConfigError, match=r"planes of \[5, 12\] channels"):
        learn_transform([waves(0), [plane[:5] for plane in waves(1)]], TINY)
    with pytest.raises(RunError, match="diverged at step 0"):
        learn_transform([[float("nan") * plane for plane in waves(0)]], TINY)
