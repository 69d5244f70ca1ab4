"""A denoiser learns what there is, repeats, and goes on from a checkpoint to the same result."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import ConfigError, RunError
from manyfields.generation import PriorLearner, PriorSettings
from manyfields.generation import learning as module
from manyfields.generation.diffusion import DiffusionDraws

SMALL = PriorSettings(width=64, blocks=2, steps=40, batch=32, parents=1, exchange=0.0)
LABELS = torch.arange(40) % 2


@pytest.fixture
def vectors() -> torch.Tensor:
    """Two classes, round (2, 2) and (-2, -2)."""
    noise = 0.3 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    return noise + torch.where(LABELS == 0, 2.0, -2.0).unsqueeze(1)


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_samples_are_of_their_class(vectors):
    network = PriorLearner(vectors, LABELS, 2, replace(SMALL, steps=600, rate=2e-3)).run()
    drawn = DiffusionDraws(network).draw(LABELS, torch.Generator().manual_seed(0))
    for label, at in ((0, 2.0), (1, -2.0)):
        own = drawn[label == LABELS]
        assert (own.mean(0) - at).abs().max() < 0.4 and own.std(0).max() < 1.0


def test_the_same_seed_gives_the_same_network(vectors):
    first, again = (PriorLearner(vectors, LABELS, 2, SMALL).run() for _ in range(2))
    assert same(first, again)
    assert not same(first, PriorLearner(vectors, LABELS, 2, replace(SMALL, seed=1)).run())


def test_goes_on_to_the_same_result(vectors, tmp_path, monkeypatch):
    whole = PriorLearner(vectors, LABELS, 2, SMALL).run()
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
    path = tmp_path / "prior.safetensors"

    class Killed(Exception): ...

    def kill(step: int, loss: float) -> None:
        if step == 25:
            raise Killed

    with pytest.raises(Killed):
        PriorLearner(vectors, LABELS, 2, SMALL).run(path, kill)
    resumed = PriorLearner(vectors, LABELS, 2, SMALL)
    resumed.load(path)
    assert resumed.step == 24
    assert same(resumed.run(), whole)


def test_checkpoints_of_something_else(vectors, tmp_path):
    path = tmp_path / "prior.safetensors"
    PriorLearner(vectors, LABELS, 2, SMALL).save(path)
    with pytest.raises(RunError, match="other settings"):
        PriorLearner(vectors, LABELS, 2, replace(SMALL, seed=3)).load(path)
    with pytest.raises(RunError, match="other objects"):
        PriorLearner(vectors + 1, LABELS, 2, SMALL).load(path)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"parents": 0}, {"exchange": 1.5}, {"held_out": 1.0}, {"rate": 0.0}])
def test_settings_without_a_meaning(wrong):
    with pytest.raises(ConfigError):
        PriorSettings(**wrong)
