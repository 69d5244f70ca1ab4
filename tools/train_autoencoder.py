"""Make the shipped compact autoencoder: first alone on rendered views, then together with fields (3D-consistent latents).

    python tools/train_autoencoder.py VIEWS... --out autoencoder.safetensors --alone 12 --joint 28

VIEWS are folders of rendered objects (`manyfields views render`). Never give it the class it will be judged on. Minutes are
wall time on the machine at hand. `--start FILE --alone 0` goes on from earlier weights.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from manyfields._io import write_atomic
from manyfields.fields import FusedPlanes, FusedPlanesConfig
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, load_object, stable_seed
from manyfields.fitting.fitter import Fitter, has_fast_bf16
from manyfields.fitting.phases import Phase
from manyfields.latents.autoencoder import Autoencoder
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.latents.shared_part import SharedPart
from manyfields.latents.stored import autoencoder_bytes, load_autoencoder
from manyfields.memory import keep_freed_memory
from manyfields.rendering import Sampler
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


def train_alone(autoencoder: Autoencoder, images: torch.Tensor, minutes: float, seed: int, half: bool) -> None:
    """Reconstruct single images; latents are whitened by each batch's statistics."""
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    start, step = time.monotonic(), 0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        generator = torch.Generator().manual_seed(stable_seed(seed, "alone", step))
        pick = torch.randint(len(images), (32,), generator=generator)
        batch = augment(images[pick].float() / 255, generator).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1, (step + 1) / 100) * 0.1**share
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            latents = autoencoder.encode(batch, batch_statistics=True)
            # A little noise: the decoder will be fed with what fields render, which is never exact.
            decoded = autoencoder.decode(latents + 0.05 * torch.randn(latents.shape, generator=generator))
        loss = functional.mse_loss(decoded, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if step % 100 == 0:
            seconds = time.monotonic() - start
            print(
                f"alone {step} {seconds:.0f}s {-10 * np.log10(loss.item()):.2f} dB {32 * step / seconds:.0f} img/s",
                flush=True,
            )


def train_jointly(autoencoder: Autoencoder, data: FittingData, minutes: float, seed: int, half: bool) -> None:
    """Stage 1 of the paper on objects of many kinds, each with planes of its own."""
    config = FusedPlanesConfig(micro_features=32, macro_features=0, base_planes=0, channels=autoencoder.channels)
    generator = torch.Generator().manual_seed(seed)
    family = FusedPlanes(config, generator)
    shared = SharedPart(family, autoencoder)
    shared.set_background()
    store = CodeStore(family.new_codes(len(data), generator))
    fitter = Fitter(shared, data, store, Sampler(16, 16), seed, half, batch_statistics=True)
    common = {"objects_per_step": 8, "views_per_object": 4, "coarse_share": 0.0, "smoothness": 0.1}
    warm = Phase("warm-up", 100000, latent=1.0, fields_rate=5e-3, codes_rate=2e-2, final_rate=1.0, **common)
    joint = Phase(
        "joint",
        100000,
        latent=0.1,
        rgb=1.0,
        autoencoder=0.3,
        fields_rate=2e-3,
        codes_rate=1e-2,
        decoder_rate=5e-4,
        encoder_rate=5e-4,
        encoder_share=0.5,
        final_rate=1.0,
        **common,
    )
    for phase, share in ((warm, 0.15), (joint, 0.85)):
        fitter.begin(phase)
        start, step = time.monotonic(), 0
        while (passed := (time.monotonic() - start) / (60 * minutes * share)) < 1:
            losses = fitter.step(phase, step)
            step += 1
            assert fitter.optimizer is not None
            for group in fitter.optimizer.param_groups:
                group["rate"] = group["rate"] if step > 1 else group["rate"]
                group.setdefault("first_rate", group["rate"])
                group["rate"] = group["first_rate"] * 0.1 ** max(0.0, passed)
            if step % 50 == 0:
                shown = " ".join(f"{name} {value:.5f}" for name, value in losses.items())
                seconds = time.monotonic() - start
                print(f"{phase.name} {step} {seconds:.0f}s {shown} {32 * step / seconds:.0f} img/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("views", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--alone", type=float, default=12.0)
    parser.add_argument("--joint", type=float, default=28.0)
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
        train_alone(autoencoder, torch.cat([item.images for item in loaded]), arguments.alone, arguments.seed, half)
        write_atomic(arguments.out, autoencoder_bytes(autoencoder, {"stage": "alone"}))
    if arguments.joint > 0:
        train_jointly(autoencoder, FittingData(loaded[: arguments.objects]), arguments.joint, arguments.seed, half)
        write_atomic(arguments.out, autoencoder_bytes(autoencoder, {"stage": "joint"}))
    print(json.dumps({"written": str(arguments.out), "bytes": arguments.out.stat().st_size}))


if __name__ == "__main__":
    main()
