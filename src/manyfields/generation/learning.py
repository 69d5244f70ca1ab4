"""Learning a denoiser from the coordinates of objects, with checkpoints from which it goes on to the same result."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from manyfields.errors import RunError
from manyfields.fitting.checkpoints import (
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    pack,
    save_checkpoint,
    unpack,
)
from manyfields.generation.denoiser import Denoiser
from manyfields.generation.diffusion import TIMES, Noising
from manyfields.generation.neighbours import NeighbourDraws
from manyfields.generation.settings import PriorSettings

CHECKPOINT_SECONDS = 60.0
SHOWN = 0.98  # decay of the loss that is shown

AfterStep = Callable[[int, float], None]


class PriorLearner:
    """A denoiser and all that its steps need. `vectors` (N, D) and their classes, 0 to `classes` - 1.

    `ranks`: coordinates of each group, in order (one group when empty).

    >>> vectors, labels = torch.randn(12, 3), torch.zeros(12, dtype=torch.long)
    >>> learner = PriorLearner(vectors, labels, 1, PriorSettings(steps=3, width=8, blocks=1, batch=4))
    >>> network = learner.run()
    >>> learner.step
    3
    """

    def __init__(
        self,
        vectors: Float[Tensor, "N D"],
        labels: Int[Tensor, " N"],
        classes: int,
        settings: PriorSettings,
        ranks: Sequence[int] = (),
    ) -> None:
        self.settings = settings
        self.vectors, self.labels, self.classes = vectors, labels, classes
        made_of = settings.neighbours, settings.parents, settings.evenness
        self.mixtures = NeighbourDraws(vectors, labels, *made_of, ranks, settings.exchange)
        self.generator = torch.Generator().manual_seed(settings.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = Denoiser(vectors.shape[1], classes, settings.width, settings.blocks)
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(settings.average))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.rate)
        self.noising = Noising()
        self.step = 0
        self.shown = 1.0

    def run(self, checkpoint: Path | None = None, after_step: AfterStep = lambda step, loss: None) -> Denoiser:
        """All steps that are left; the averaged network. `checkpoint`: written now and then, and removed by no one."""
        saved = time.monotonic()
        while self.step < self.settings.steps:
            self._one_step()
            after_step(self.step, self.shown)
            if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save(checkpoint)
                saved = time.monotonic()
        network = self.averaged.module
        assert isinstance(network, Denoiser)
        return network.eval().requires_grad_(False)

    def _one_step(self) -> None:
        settings, draw = self.settings, self.generator
        rows = torch.randint(len(self.vectors), (settings.batch,), generator=draw)
        clean = self.mixtures.mixed(rows, draw)
        hidden = torch.rand(settings.batch, generator=draw) < settings.unlabelled
        labels = self.labels[rows].masked_fill(hidden, self.classes)
        times = torch.randint(TIMES, (settings.batch,), generator=draw)
        noise = torch.randn(clean.shape, generator=draw)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.5 * settings.rate * (1.0 + math.cos(math.pi * self.step / settings.steps))
        loss = self.noising.loss(self.network, clean, labels, times, noise)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        self.shown += (1.0 - SHOWN) * (float(loss.detach()) - self.shown)

    def save(self, path: Path) -> None:
        tensors = {
            **pack("network", self.network.state_dict()),
            **pack("averaged", self.averaged.state_dict()),
            **pack("optimizer", optimizer_tensors(self.optimizer)),
            "generator": self.generator.get_state(),
            "vectors": self.vectors,
        }
        save_checkpoint(path, tensors, self._record() | {"step": self.step, "shown": self.shown})

    def load(self, path: Path) -> None:
        """Go on where `save` was called. Raises RunError where that was with other settings or objects."""
        tensors, record = load_checkpoint(path)
        if any(record.get(name) != value for name, value in self._record().items()):
            raise RunError(f"{path}: was written with other settings; leave --resume away to start anew")
        if tensors["vectors"].shape != self.vectors.shape or not torch.equal(tensors["vectors"], self.vectors):
            raise RunError(f"{path}: was written for other objects; leave --resume away to start anew")
        self.network.load_state_dict(unpack("network", tensors))
        self.averaged.load_state_dict(unpack("averaged", tensors))
        load_optimizer(self.optimizer, unpack("optimizer", tensors))
        self.generator.set_state(tensors["generator"])
        self.step, self.shown = int(record["step"]), float(record["shown"])

    def _record(self) -> dict[str, Any]:
        return {"settings": asdict(self.settings), "classes": self.classes}
