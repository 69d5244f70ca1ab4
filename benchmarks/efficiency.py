"""What it costs to evaluate one instance of a mixture, beside a FiLM-modulated network and a hypernetwork.

    python benchmarks/efficiency.py --data ../shared/data/renders/vehicles --steps 1500

All learn the same images (64 x 64) by auto-decoding, with the same latent vectors to start from (principal components
of the images), pixels, steps and rates of codes; then images of designs that none has seen are adapted to each, the
shared part frozen. FiLM networks of several sizes are learned: the smallest that comes as near as the mixture is what
its FLOPs are compared with, or the largest, if none does. FLOPs are those of PyTorch's counter (products of matrices)
for one image, frames per second the median of 30 images one by one, memory the most that is allocated while one is
made, with the numbers of its network.

Rows go to benchmarks/results/efficiency.json; the paper's tables 1 to 3 have the same of its sizes.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from modulations import Film, HyperNetwork
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from manyfields.evaluation.instances import psnr
from manyfields.evaluation.record import Record, new_record, read_records, write_records
from manyfields.fields import MixtureConfig, MixtureFamily
from manyfields.fitting.principal_start import principal_coordinates
from manyfields.fitting.signal_data import SignalData
from manyfields.views.signals import SignalSet, picked, read_images

RESULTS = Path(__file__).parent / "results" / "efficiency.json"
LATENT, W0, IMAGES, PIXELS = 512, 30.0, 16, 256
SPREAD = 0.1  # of what tells networks apart, at first
UNSEEN_STEPS = 300
MIXTURE = (64, 4, 256)  # width, hidden layers, bases: the paper's size S
FILMS = ((64, 4), (128, 5), (256, 6))  # width, hidden layers
KINDS = {
    "mixture": ("mixture", *MIXTURE[:2]),
    "hypernetwork": ("hypernetwork", *MIXTURE[:2]),
    **{f"film_{width}x{layers}": ("film", width, layers) for width, layers in FILMS},
}
"""By the name of their rows: kind, width, hidden layers."""
RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # of the shared part: the best in a tenth of the steps is taken, for each


def new_family(kind: str, width: int, layers: int, generator: torch.Generator) -> nn.Module:
    if kind == "mixture":
        config = MixtureConfig("images", layers, width, MIXTURE[2], LATENT, start_spread=SPREAD, w0=W0)
        return MixtureFamily(config, generator)
    make = Film if kind == "film" else HyperNetwork
    return make(width, layers, LATENT, W0, generator)


def learn(family: nn.Module, rate: float, data: SignalData, steps: int, seed: int = 0) -> Tensor:
    """Latent vectors of all images, learned together with `family`; with `rate` 0 alone, from their mean."""
    draw = torch.Generator().manual_seed(seed)
    starts = principal_coordinates(data.values, LATENT, draw)
    latents = nn.Parameter(starts if rate else torch.zeros_like(starts))
    groups = [{"params": [latents], "lr": 1e-3 if rate else 2e-2}]
    if rate:
        groups.append({"params": list(family.parameters()), "lr": rate})
    else:
        family.requires_grad_(False)
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    rates = [group["lr"] for group in groups]
    for step in range(steps):
        rows = torch.randperm(len(data), generator=draw)[:IMAGES] if rate else torch.arange(len(data))
        points, values = data.draw(rows, PIXELS if rate else 2 * PIXELS, draw)
        error = (family.values(latents[rows], points) - values).square().mean((1, 2)).sum()
        optimizer.zero_grad()
        error.backward()
        if rate:
            nn.utils.clip_grad_norm_(family.parameters(), 1.0)
        for group, start in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = start * min(1.0, (step + 1) / 50) * 0.03 ** (step / steps)
        optimizer.step()
    return latents.detach()


def learned(
    kind: str, width: int, layers: int, data: SignalData, steps: int
) -> tuple[nn.Module, Tensor, dict[str, float]]:
    """A family, the latent vectors of all images, and `psnr_train`, `seconds` and `rate`.

    The rate is the best of RATES in a tenth of the steps, or the next lower one where all of the steps undo what the
    tenth has learned.
    """
    found = {}
    for rate in RATES:
        family = new_family(kind, width, layers, torch.Generator().manual_seed(0))
        found[rate] = quality(family, learn(family, rate, data, steps // 10), data)
    # No number is what has diverged.
    best = max(RATES, key=lambda rate: found[rate] if found[rate] == found[rate] else 0.0)
    for rate in sorted((rate for rate in RATES if rate <= best), reverse=True):
        family = new_family(kind, width, layers, torch.Generator().manual_seed(0))
        began = time.monotonic()
        latents = learn(family, rate, data, steps)
        figures = {"psnr_train": quality(family, latents, data), "seconds": time.monotonic() - began, "rate": rate}
        if figures["psnr_train"] > found[rate]:
            break
    return family, latents, figures


@torch.no_grad()
def quality(family: nn.Module, latents: Tensor, data: SignalData) -> float:
    parts = []
    for rows in torch.arange(len(data)).split(32):
        points, truth = data.whole(rows)
        parts.append(psnr(family.values(latents[rows], points), truth))
    return float(torch.cat(parts).mean())


@torch.no_grad()
def costs(family: nn.Module, latents: Tensor, data: SignalData) -> dict[str, float]:
    """Of one image of an instance, its network being at hand: what is done once for an instance is not counted."""
    points = data.points[None]
    if isinstance(family, MixtureFamily):
        networks = family.networks(latents[:1])

        def draw() -> Tensor:
            return family.read(networks, points)
    else:

        def draw() -> Tensor:
            return family.values(latents[:1], points)

    with FlopCounterMode(display=False) as counter:
        draw()
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - began)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        draw()
    held = most = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    numbers = family.config.network if isinstance(family, MixtureFamily) else family.network
    return {
        "gflops": counter.get_total_flops() / 1e9,
        "fps": 1.0 / median(seconds),
        "memory_mb": (most + 4 * numbers) / 1e6,
        "network": numbers,
        "learnable": sum(each.numel() for each in family.parameters()),
    }


def split(found: SignalSet, unseen: int, images: int) -> tuple[SignalData, SignalData]:
    """Images to learn from, and those of `unseen` designs, `images` of each object at most."""
    groups = sorted({group or "" for group in found.groups})
    apart = set(groups[:: max(1, len(groups) // unseen)][:unseen])
    taken: dict[str, int] = {}
    sides: tuple[list[int], list[int]] = ([], [])
    for index, (name, group) in enumerate(zip(found.ids, found.groups, strict=True)):
        of = name.rsplit("-", 1)[0]
        taken[of] = taken.get(of, 0) + 1
        if taken[of] <= images:
            sides[(group or "") in apart].append(index)
    return tuple(SignalData(picked(found, side)) for side in sides)  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--unseen", type=int, default=10, help="designs that are set apart")
    parser.add_argument("--images", type=int, default=8, help="of each object")
    parser.add_argument("--only", nargs="+", choices=tuple(KINDS), help="all of them if not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seen, unseen = split(read_images(arguments.data, 64), arguments.unseen, arguments.images)
    note = f"{len(seen)} images, {len(unseen)} of unseen designs, {arguments.steps} steps, {arguments.threads} threads"
    for name in arguments.only or KINDS:
        kind, width, layers = KINDS[name]
        family, latents, figures = learned(kind, width, layers, seen, arguments.steps)
        rate = figures.pop("rate")
        figures["psnr_unseen"] = quality(family, learn(family, 0.0, unseen, UNSEEN_STEPS), unseen)
        figures |= costs(family, latents, seen)
        units = {"psnr_train": "dB", "psnr_unseen": "dB", "seconds": "s", "gflops": "GFLOP", "memory_mb": "MB"}
        of = f"{note}; width {width}, {layers} hidden layers, rate {rate:g}"
        rows = [new_record(f"efficiency.{name}.{key}", value, units.get(key, ""), of) for key, value in figures.items()]
        write_records(arguments.results, rows)
        print(name, {key: round(value, 3) for key, value in figures.items()}, flush=True)
    known = of_same_settings(arguments.results, note)
    if "mixture" in known and any(name.startswith("film") for name in known):
        write_records(arguments.results, [ratio(known, note)])


def of_same_settings(results: Path, note: str) -> dict[str, dict[str, float]]:
    """By network, then by figure: what a file has of networks that learned the same in as many steps."""
    found: dict[str, dict[str, float]] = {}
    for row in read_records(results):
        if row.name.startswith("efficiency.") and row.note.startswith(note) and isinstance(row.value, float | int):
            _, name, figure = row.name.split(".")
            found.setdefault(name, {})[figure] = row.value
    return found


def ratio(found: dict[str, dict[str, float]], note: str) -> Record:
    """FLOPs of the smallest FiLM network that reconstructs as well as the mixture does, to those of the mixture."""
    films = sorted((each for each in found.items() if each[0].startswith("film")), key=lambda each: each[1]["gflops"])
    enough = [each for each in films if each[1]["psnr_unseen"] >= found["mixture"]["psnr_unseen"]]
    name, figures = (enough or films[-1:])[0]
    how = (
        "reaches the PSNR of the mixture"
        if enough
        else "the largest that was tried; none reaches the PSNR of the mixture"
    )
    value = figures["gflops"] / found["mixture"]["gflops"]
    return new_record("mixture.flops_ratio_film", value, "x", f"{note}; {name}: {how}, on unseen images")


if __name__ == "__main__":
    main()
