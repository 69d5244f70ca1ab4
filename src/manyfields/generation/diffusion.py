"""Denoising diffusion over coordinates (Ho et al. 2020): what a step of learning costs, and how noise becomes a sample.

Schedulers are those of diffusers. The network predicts the velocity (Salimans and Ho 2022) under the cosine schedule:
with few numbers an object, errors of predicted noise at the last steps would be multiplied by hundreds.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.generation.denoiser import Denoiser

TIMES = 1000
SCHEDULE = {"num_train_timesteps": TIMES, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
STEPS = {"ddpm": 1000, "ddim": 100, "dpm": 30}

Scheduler = Literal["ddpm", "ddim", "dpm"]


def scheduler_named(name: Scheduler, steps: int | None = None) -> Any:
    """A scheduler of diffusers, set to `steps` (of `STEPS` when None): DDPM, DDIM or DPM-Solver++.

    Raises ConfigError for another name, or steps that are not 1 to 1000.
    """
    import diffusers

    if name not in STEPS:
        raise ConfigError(f"scheduler {name!r} is not known; use one of {', '.join(STEPS)}")
    steps = STEPS[name] if steps is None else steps
    if not 1 <= steps <= TIMES:
        raise ConfigError(f"{steps} steps of sampling: from 1 to {TIMES}")
    kinds = {"ddpm": "DDPMScheduler", "ddim": "DDIMScheduler", "dpm": "DPMSolverMultistepScheduler"}
    # Coordinates are not images: nothing says that they end at 1.
    unclipped = {} if name == "dpm" else {"clip_sample": False}
    scheduler = getattr(diffusers, kinds[name])(**SCHEDULE, **unclipped)
    scheduler.set_timesteps(steps)
    return scheduler


class Noising:
    """How coordinates are made noisy for learning, and the error of what the network says then."""

    def __init__(self) -> None:
        kept = scheduler_named("ddpm").alphas_cumprod
        self.signal, self.noise = kept.sqrt().unsqueeze(1), (1.0 - kept).sqrt().unsqueeze(1)

    def loss(
        self,
        network: Denoiser,
        clean: Float[Tensor, "B D"],
        labels: Int[Tensor, " B"],
        times: Int[Tensor, " B"],
        noise: Float[Tensor, "B D"],
    ) -> Tensor:
        """Mean squared error of the velocity."""
        signal, share = self.signal[times], self.noise[times]
        told = network(signal * clean + share * noise, times, labels)
        return (told - (signal * noise - share * clean)).square().mean()


@dataclass(frozen=True)
class DiffusionDraws:
    """Samples of a trained network. `guidance` above 1 leans towards the class (Ho and Salimans 2022)."""

    network: Denoiser
    scheduler: Scheduler = "dpm"
    steps: int | None = None
    guidance: float = 1.0

    @torch.no_grad()
    def draw(self, labels: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B D"]:
        """One sample of each class; the same labels and generator give the same samples."""
        scheduler = scheduler_named(self.scheduler, self.steps)
        samples = torch.randn(len(labels), self.network.enter.in_features, generator=generator)
        takes_generator = {} if self.scheduler == "dpm" else {"generator": generator}
        for time in scheduler.timesteps:
            told = self._told(samples, time.expand(len(samples)), labels)
            samples = scheduler.step(told, time, samples, **takes_generator).prev_sample
        return samples

    def _told(self, samples: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        told = self.network(samples, times, labels)
        if self.guidance == 1.0:
            return told
        anything = torch.full_like(labels, self.network.classes.num_embeddings - 1)
        without = self.network(samples, times, anything)
        return without + self.guidance * (told - without)
