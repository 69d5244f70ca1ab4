"""Make the shipped compact autoencoder: first alone on rendered views, then together with fields (3D consistency).

    python tools/train_autoencoder.py VIEWS... --out autoencoder.safetensors --alone 12 --joint 28

VIEWS are folders of rendered objects (`manyfields views render`). Never give it the class it will be judged on. Minutes
are wall time on the machine at hand. `--start FILE --alone 0` goes on from earlier weights.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from manyfields._io import write_atomic
from manyfields.compiled import has_fast_bf16
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.fused_planes.fitter import PlaneFitter
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, load_object, stable_seed
from manyfields.fitting.phases import Phase
from manyfields.latents.autoencoder import Autoencoder
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.latents.stored import autoencoder_bytes, load_autoencoder
from manyfields.memory import keep_freed_memory
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart
from manyfields.views import read_views


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Other colours and orientations of the same pictures: channels permuted and scaled about white, mirrored."""
    out = []
    for image in images:
        image = image[torch.randperm(3, generator=generator)]
        gain = 0.6 + 0.8 * torch.rand(3, 1, 1, generator=generator)
        image = (1.0 - (1.0 - image) * gain).clamp(0, 1)
        out.append(image.flip(-1) if torch.rand((), generator=generator) < 0.5 else image)
    return torch.stack(out)


def reconstruction_step(
    autoencoder: Autoencoder,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    count: int,
    seed: int,
    step: int,
    half: bool,
) -> float:
    """One step on single images in other colours; latents are whitened by the batch's statistics. Returns the loss."""
    generator = torch.Generator().manual_seed(stable_seed(seed, "alone", step))
    pick = torch.randint(len(images), (count,), generator=generator)
    batch = augment(images[pick].float() / 255, generator).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        latents = autoencoder.encode(batch, batch_statistics=True)
        # A little noise: the decoder will be fed with what fields render, which is never exact.
        decoded = autoencoder.decode(latents + 0.05 * torch.randn(latents.shape, generator=generator))
    loss = functional.mse_loss(decoded, batch)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def train_alone(
    autoencoder: Autoencoder, images: torch.Tensor, minutes: float, rate: float, seed: int, half: bool
) -> None:
    """Reconstruct single images."""
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)
    start, step = time.monotonic(), 0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * 0.1**share
        loss = reconstruction_step(autoencoder, optimizer, images, 32, seed, step, half)
        step += 1
        if step % 100 == 0:
            seconds = time.monotonic() - start
            print(
                f"alone {step} {seconds:.0f}s {-10 * np.log10(loss):.2f} dB {32 * step / seconds:.0f} img/s",
                flush=True,
            )


def train_jointly(
    autoencoder: Autoencoder, data: FittingData, images: torch.Tensor, minutes: float, seed: int, half: bool
) -> None:
    """Stage 1 of the paper on objects of many kinds, each with planes of its own.

    Every joint step is followed by one on single `images` in other colours: without it the autoencoder forgets what the
    fields at hand do not need, and its round trip on a class it has not seen falls.
    """
    config = FusedPlanesConfig(
        micro_features=32, macro_features=0, base_planes=0, channels=autoencoder.channels, density_gain=15.0
    )
    generator = torch.Generator().manual_seed(seed)
    family = FusedPlanes(config, generator)
    shared = SharedPart(family, autoencoder)
    shared.set_background()
    store = CodeStore(family.new_codes(len(data), generator))
    fitter = PlaneFitter(shared, data, store, Sampler(16, 16), seed, half, batch_statistics=True)
    warm = Phase(
        "warm-up",
        steps=100000,
        latent=1.0,
        fields_rate=1e-2,
        codes_rate=0.1,
        final_rate=1.0,
        objects_per_step=8,
        views_per_object=4,
        coarse_share=0.0,
        smoothness=0.1,
    )
    joint = replace(
        warm,
        name="joint",
        latent=0.05,
        rgb=1.0,
        autoencoder=0.5,
        codes_rate=0.05,
        fields_rate=5e-3,
        decoder_rate=1e-3,
        encoder_rate=5e-4,
        encoder_share=0.25,
        views_per_object=2,
    )
    alone = torch.optim.Adam(autoencoder.parameters(), lr=3e-4, betas=(0.9, 0.99), fused=True)
    for phase, share in ((warm, 0.15), (joint, 0.85)):
        fitter.begin(phase)
        assert fitter.optimizer is not None
        first_rates = [group["rate"] for group in fitter.optimizer.param_groups]
        start, step = time.monotonic(), 0
        while (passed := (time.monotonic() - start) / (60 * minutes * share)) < 1:
            decay = 0.1**passed
            for group, rate in zip(fitter.optimizer.param_groups, first_rates, strict=True):
                group["rate"] = rate * decay
            losses = fitter.step(replace(phase, codes_rate=phase.codes_rate * decay), step)
            if phase is joint:
                for group in alone.param_groups:
                    group["lr"] = 3e-4 * decay
                losses["alone"] = reconstruction_step(autoencoder, alone, images, 16, seed + 1, step, half)
            step += 1
            if step % 50 == 0:
                shown = " ".join(f"{name} {value:.5f}" for name, value in losses.items())
                print(f"{phase.name} {step} {time.monotonic() - start:.0f}s {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("views", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--alone", type=float, default=12.0)
    parser.add_argument("--joint", type=float, default=28.0)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate of the stage alone")
    parser.add_argument("--start", type=Path, default=None)
    parser.add_argument("--objects", type=int, default=160, help="objects of the joint stage")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(arguments.seed)
    half = has_fast_bf16(torch.device("cpu"))
    config = CompactConfig(channels=arguments.channels, stride=arguments.stride)
    autoencoder = load_autoencoder(str(arguments.start)) if arguments.start else compact_autoencoder(config)
    objects = [views for folder in arguments.views for views in read_views(folder).objects]
    order = np.random.default_rng(arguments.seed).permutation(len(objects))
    size = (objects[0].cameras.width, objects[0].cameras.height)
    loaded = [load_object(objects[index], size, seed=arguments.seed) for index in order]
    print(f"{len(loaded)} objects, {sum(len(item.images) for item in loaded)} training views", flush=True)
    if arguments.alone > 0:
        images = torch.cat([item.images for item in loaded])
        train_alone(autoencoder, images, arguments.alone, arguments.rate, arguments.seed, half)
        write_atomic(arguments.out, autoencoder_bytes(autoencoder, {"stage": "alone"}))
    if arguments.joint > 0:
        data, images = FittingData(loaded[: arguments.objects]), torch.cat([item.images for item in loaded])
        train_jointly(autoencoder, data, images, arguments.joint, arguments.seed, half)
        write_atomic(arguments.out, autoencoder_bytes(autoencoder, {"stage": "joint"}))
    print(json.dumps({"written": str(arguments.out), "bytes": arguments.out.stat().st_size}))


if __name__ == "__main__":
    main()
