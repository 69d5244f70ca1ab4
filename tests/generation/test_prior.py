"""A prior's file: what is written is read, and nothing else is."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from manyfields.collection.checksums import sha256
from manyfields.errors import CollectionError, ConfigError
from manyfields.generation import WAYS, LinearSpace, Prior, PriorLearner, PriorSettings, classes_of, read_prior

SETTINGS = PriorSettings(width=16, blocks=1, steps=3, batch=4)


@pytest.fixture
def prior() -> Prior:
    parts = {"latent": torch.randn(10, 6, generator=torch.Generator().manual_seed(0))}
    space = LinearSpace.learn(parts, (("latent",),), 4)
    vectors = space.coordinates(parts)
    classes, labels = classes_of(["boat", None] * 5)
    network = PriorLearner(vectors, labels, 2, SETTINGS, space.ranks).run()
    return Prior("ab" * 32, SETTINGS, space, network, vectors, labels, classes, [f"o{n}" for n in range(10)], ["x"])


def test_it_is_read_as_it_was_written(prior, tmp_path):
    entry = prior.save(tmp_path)
    again = read_prior(tmp_path / entry.file)
    assert entry.file == f"prior-{entry.sha256[:16]}.safetensors"
    for name in ("shared_hash", "settings", "classes", "ids", "held_out"):
        assert getattr(again, name) == getattr(prior, name)
    for way in WAYS:
        assert torch.equal(again.sample(5, 3, way=way)[0], prior.sample(5, 3, way=way)[0])
    assert again.save(tmp_path).file == entry.file


def test_classes(prior):
    assert prior.classes == ["boat", None]
    vectors, classes = prior.sample(4, 0, "boat")
    assert vectors.shape == (4, 4) and classes == ["boat"] * 4
    assert set(prior.sample(40, 0)[1]) == {"boat", None}
    with pytest.raises(ConfigError, match="did you mean 'boat'"):
        prior.sample(4, 0, "boot")
    with pytest.raises(ConfigError, match="known are boat"):
        prior.sample(4, 0, "zeppelin")
    with pytest.raises(ConfigError, match="have no labels; leave it away"):
        replace(prior, classes=[None, None]).sample(4, 0, "boat")
    with pytest.raises(ConfigError, match="no way to draw"):
        prior.sample(4, way="wishes")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("candidates", [1, 3])
def test_spread_is_a_share_of_that_of_objects(prior, way, candidates):
    def away(vectors, labels):
        """Differences to the mean object of the class, row by row."""
        means = {label: prior.vectors[prior.labels == label].mean(0) for label in set(labels)}
        return torch.stack([vector - means[label] for vector, label in zip(vectors, labels, strict=True)])

    def samples(spread, count=400):
        vectors, classes = prior.sample(count, 1, way=way, spread=spread, candidates=candidates)
        return away(vectors, [prior.classes.index(name) for name in classes])

    objects = away(prior.vectors, prior.labels.tolist()).square().sum(1).mean()
    assert float(samples(0.5).square().sum(1).mean() / objects) == pytest.approx(
        0.25, rel=0.2 if candidates == 1 else 0.5
    )
    if candidates == 1:  # else others may be the farthest once they have moved
        torch.testing.assert_close(samples(3.0), 6.0 * samples(0.5))
        (drawn, same), (half, _) = (prior.sample(9, 1, way=way, spread=part, candidates=1) for part in (0.0, 0.5))
        boats = [row for row, name in enumerate(same) if name == "boat"]  # each class has a factor of its own
        drawn, half = (away(vectors[boats], [0] * len(boats)) for vectors in (drawn, half))
        assert (drawn / half).std() < 1e-3 and not torch.allclose(drawn, half)


@pytest.mark.parametrize("way", WAYS)
def test_of_the_candidates_the_farthest_is_kept(prior, way):
    def distances(vectors):
        return torch.stack([(prior.vectors - vector).norm(dim=1).min() for vector in vectors])

    one, label = prior.sample(40, 2, way=way, spread=0.0, candidates=1)
    most, same = prior.sample(40, 2, way=way, spread=0.0, candidates=5)
    assert label == same and distances(most).mean() > distances(one).mean()
    labels = torch.tensor([prior.classes.index(name) for name in label]).repeat(3)
    # The generator has drawn the classes before: 40 numbers.
    generator = torch.Generator().manual_seed(2)
    torch.randint(len(prior.labels), (40,), generator=generator)
    drawn = prior.draws(way).draw(labels, generator).view(3, 40, -1)
    for row, kept in enumerate(prior.sample(40, 2, way=way, spread=0.0, candidates=3)[0]):
        assert torch.equal(kept, drawn[int(distances(drawn[:, row]).argmax()), row])


@pytest.mark.parametrize("wrong", [{"spread": -0.1}, {"spread": float("nan")}, {"candidates": 0}])
def test_a_spread_or_candidates_without_meaning(prior, wrong):
    with pytest.raises(ConfigError, match="candidates: at least 0, and at least 1"):
        prior.sample(2, **wrong)


def test_a_renamed_or_damaged_file(prior, tmp_path):
    path = tmp_path / prior.save(tmp_path).file
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CollectionError, match="damaged or was renamed"):
        read_prior(path)
    with pytest.raises(CollectionError, match="cannot be read"):
        read_prior(tmp_path / "prior-0000.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": 9}, "no prior that this version"),
        ({"ids": ["one"]}, "not those of its objects"),
        ({"settings": {"width": 10**9, "blocks": 1}}, "is not built"),
        ({"settings": {"wit": 1}}, "cannot be built"),
        ({"classes": ["boat"]}, "have no meaning"),
        ({"space": [{"parts": [["latent", 7]], "spread": 1.0}]}, "not one of 7 numbers"),
    ],
)
def test_hostile_configs(prior, tmp_path, change, message):
    path = tmp_path / prior.save(tmp_path).file
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"]) | change
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    data = save(tensors, {"config": json.dumps(config)})
    forged = tmp_path / f"prior-{sha256(data)[:16]}.safetensors"
    forged.write_bytes(data)
    with pytest.raises(CollectionError, match=message):
        read_prior(forged)


def uneven(prior: Prior) -> Prior:
    """Two classes, of which one is spread ten times as far as the other."""
    generator = torch.Generator().manual_seed(4)
    vectors = torch.randn(40, 4, generator=generator) * torch.tensor([1.0, 10.0]).repeat_interleave(20).unsqueeze(1)
    labels = torch.tensor([0, 1]).repeat_interleave(20)
    return replace(prior, vectors=vectors, labels=labels, ids=[f"o{n}" for n in range(40)])


def spread_of(prior: Prior, vectors, number: int) -> float:
    return float((vectors - prior.vectors[prior.labels == number].mean(0)).square().sum(1).mean().sqrt())


@pytest.mark.parametrize("label", ["boat", None])
@pytest.mark.parametrize(
    "how",
    [
        {"way": "gaussian"},
        {"way": "diffusion"},
        {"way": "diffusion", "guidance": 4.0},
        {"way": "diffusion", "scheduler": "ddim", "steps": 3},
        {"way": "diffusion", "scheduler": "dpm", "steps": 2, "candidates": 3},
    ],
    ids=str,
)
def test_each_class_has_the_spread_that_is_asked_for_however_it_is_drawn(prior, how, label):
    own = uneven(prior)
    vectors, classes = own.sample(300, 5, label, spread=0.8, **how)
    for number, name in enumerate(own.classes):
        rows = [row for row, each in enumerate(classes) if each == name]
        if rows:
            objects = spread_of(own, own.vectors[own.labels == number], number)
            assert spread_of(own, vectors[rows], number) / objects == pytest.approx(0.8, rel=0.2)


def test_how_far_samples_are_spread_does_not_depend_on_how_many_there_are(prior):
    own = uneven(prior)
    drawn, spread = (own.sample(1, 8, "boat", candidates=1, spread=spread)[0] for spread in (0.0, 0.8))
    few, wide = (own.sample(50, 8, "boat", candidates=1, spread=spread)[0] for spread in (0.0, 0.8))
    middle = own.vectors[own.labels == 0].mean(0)
    factors = [((far - middle) / (near - middle)).mean() for near, far in ((drawn, spread), (few, wide))]
    torch.testing.assert_close(factors[0], factors[1])


def test_a_class_of_one_object_is_drawn_as_it_is(prior):
    labels = torch.tensor([0] + [1] * 9)
    own = replace(prior, labels=labels)
    drawn, spread = (own.sample(6, 2, "boat", candidates=1, spread=spread)[0] for spread in (0.0, 1.0))
    torch.testing.assert_close(drawn, spread)
