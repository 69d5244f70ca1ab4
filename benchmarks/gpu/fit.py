"""Stage 2 on this device, in waves: seconds an object to a fixed quality, and at the paper's amount of work."""

import time
from dataclasses import dataclass, replace

import torch

from benchmarks.floor.peaks import wait
from benchmarks.gpu.data import Packed
from manyfields.compiled import has_fast_bf16
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData
from manyfields.fitting.phases import Phase
from manyfields.latents import load_autoencoder
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

PROBED = 8  # objects that a look at held-out views takes
LOOKS = 12  # at held-out views, in each phase
BATCH = 32  # images of a step of the paper


@dataclass(frozen=True)
class Fitted:
    """What a wave took. Seconds and memory (bytes, 0 on a CPU) are those of the whole wave."""

    objects: int
    preparing: float
    """Pixels to draw, tables of planes: what is done before the first step. Reading files is not in it."""
    seconds: float
    """Of all steps, without looks at held-out views."""
    reached: float | None
    """Seconds of steps until the quality was reached."""
    quality: float
    rays: float
    memory: int


def to_quality(packed: Packed, wave: int, device: torch.device, quality: float, share: float = 1.0) -> Fitted:
    """Fit a wave of objects side by side, by the phases of the file (`share` of their steps)."""
    objects = packed.fitting_objects(wave)
    _start_counting(device)
    began = time.perf_counter()
    data = FittingData(objects, device)
    shared = packed.shared().to(device)
    codes = shared.family.average_codes(wave).to(device)
    fitter = PlaneFitter(shared, data, CodeStore(codes), packed.sampler, half=has_fast_bf16(device))
    views = data.views
    phases = [_together(phase, wave).planned(wave, views, share) for phase in packed.stage2]
    assert data.pool is not None
    wait(device)
    preparing = time.perf_counter() - began
    seconds = rays = 0.0
    reached: float | None = None
    best = 0.0
    for phase in phases:
        fitter.begin(phase)
        every = max(1, phase.steps // LOOKS)
        for start in range(0, phase.steps, every):
            began = time.perf_counter()
            for index in range(start, min(start + every, phase.steps)):
                fitter.step(phase, index)
            wait(device)
            seconds += time.perf_counter() - began
            best = held_out_psnr(packed, fitter)
            if reached is None and best >= quality:
                reached = seconds
        rays += phase.steps * phase.rays_of_a_step(wave) * min(phase.objects_per_step, wave)
    return Fitted(wave, preparing, seconds, reached, best, rays, _memory(device))


@torch.no_grad()
def held_out_psnr(packed: Packed, fitter: PlaneFitter) -> float:
    """Mean PSNR of the first held-out view of a few objects, with the guides in training."""
    device, total = fitter.data.device, 0.0
    count = min(PROBED, len(fitter.data))
    assert fitter.guides is not None
    for row in range(count):
        truth, cameras = packed.held_out(row)
        index = torch.tensor([row], device=device)
        codes, guide = fitter.store.all()[index], fitter.guides.values[index]
        one = cameras[slice(0, 1)].to(device)
        bounds = fitter.data.bounds[index]
        seen = fitter.shared.pictures(codes, one[None], bounds, packed.final_sampler, guide=guide)
        assert seen.images is not None
        error = (seen.images[0].float().clamp(0, 1).cpu() - truth[:1]).square().mean()
        total -= 10.0 * float(torch.log10(error.clamp(min=1e-10)))
    return total / count


@dataclass(frozen=True)
class Sizes:
    """Of the paper; a smoke test takes smaller ones."""

    latent_epochs: int = 30
    decoded_epochs: int = 50
    bases: int = 50
    samples: int = 48
    """Stratified, and as many importance samples again."""
    steps: int = 60
    """That are measured; the others take as long."""


def paper_work(packed: Packed, wave: int, device: torch.device, sizes: Sizes) -> Fitted:
    """The paper's stage 2 in latent space, with the compact autoencoder: untrained shared part, time alone counts.

    Every phase is measured over some steps, and its seconds are those times the number of its steps.
    """
    objects = packed.fitting_objects(wave)
    autoencoder = load_autoencoder("compact")
    config = FusedPlanesConfig(base_planes=sizes.bases, channels=autoencoder.channels)
    generator = torch.Generator().manual_seed(0)
    shared = SharedPart(FusedPlanes(config, generator), autoencoder).to(device)
    shared.set_background()
    _start_counting(device)
    began = time.perf_counter()
    data = FittingData(objects, device)
    codes = shared.family.new_codes(wave, generator).to(device)
    sampler = Sampler(sizes.samples, sizes.samples)
    fitter = PlaneFitter(shared, data, CodeStore(codes), sampler, half=has_fast_bf16(device))
    data.cache_latents(autoencoder, fitter.half)
    wait(device)
    preparing = time.perf_counter() - began
    together = min(wave, BATCH)
    images = together * (BATCH // together)
    latent = Phase(
        "latent",
        latent=1.0,
        smoothness=0.0,
        codes_rate=1e-2,
        coarse_share=0.0,
        objects_per_step=together,
        views_per_object=BATCH // together,
        steps=1,
    )
    align = replace(latent, name="align", latent=0.0, rgb=1.0, codes_rate=1e-3)
    seconds = 0.0
    views = len(objects[0].images) * wave
    for phase, epochs in ((latent, sizes.latent_epochs), (align, sizes.decoded_epochs)):
        fitter.begin(phase)
        for index in range(3):
            fitter.step(phase, index)
        wait(device)
        began = time.perf_counter()
        for index in range(sizes.steps):
            fitter.step(phase, 3 + index)
        wait(device)
        seconds += (time.perf_counter() - began) / sizes.steps * epochs * views / images
    rays = float((sizes.latent_epochs + sizes.decoded_epochs) * views * (packed.size // autoencoder.stride) ** 2)
    return Fitted(wave, preparing, seconds, seconds, 0.0, rays, _memory(device))


def _together(phase: Phase, wave: int) -> Phase:
    """All objects of the wave in each step: a GPU has room for them."""
    return replace(phase, objects_per_step=max(phase.objects_per_step, wave))


def _start_counting(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
