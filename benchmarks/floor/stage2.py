"""Operations and bytes of one object in stage 2, part by part, and the least seconds that an H200 needs for them.

    python -m benchmarks.floor.stage2  # counted from settings in seconds, on any machine alike

What is counted how is said in `parts`. Rows go to benchmarks/results/floor.json. What this CPU needs at least is
measured by `python -m benchmarks.speed floor`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from benchmarks.floor.networks import Network, compact_networks, stable_diffusion_networks, through
from benchmarks.floor.parts import (
    H200,
    Part,
    adam,
    composite,
    decode,
    decode_back,
    gather,
    joined,
    mix,
    mix_back,
    place,
    scatter,
    table,
)
from benchmarks.rows import add_flags, keep, parse
from manyfields.cameras import Cameras
from manyfields.evaluation.record import Record, new_record
from manyfields.fields import Field
from manyfields.rendering import Occupancy, Sampler, densities
from manyfields.rendering.walking import SEEN_THROUGH, next_samples

VIEWS = 144  # training views of an object, of 160
HULL_SHARE = 0.2  # cells of a box that lie in the hull, about, for vehicles


@dataclass(frozen=True)
class PaperSettings:
    """Stage 2 of the preprint (table 8) with the authors' renderer.

    All but the encoder learns, in batches of 32 images of as many objects.
    """

    views: int = VIEWS
    latent_epochs: int = 30
    decoded_epochs: int = 50
    side: int = 64
    micro: int = 10
    macro: int = 22
    bases: int = 50
    hidden: int = 64
    channels: int = 4
    pixels: int = 16 * 16
    samples: int = 48 + 48
    batch: int = 32
    learns_shared: bool = True


def paper_object(decoder: Network, encoder: Network, paper: PaperSettings | None = None) -> list[Part]:
    """The parts of one object in stage 2 at the paper's amount of work."""
    p = paper or PaperSettings()
    features, values = p.micro + p.macro, 1 + p.channels
    samples = p.pixels * p.samples
    rendered = p.views * (p.latent_epochs + p.decoded_epochs)
    shared = 3 * p.side**2 * p.macro * p.bases + features * p.hidden + p.hidden * (1 + values) + values
    step = [
        mix(p.bases, p.macro, p.side, p.batch),
        mix_back(p.bases, p.macro, p.side, p.batch, to_bases=p.learns_shared),
        gather(samples, features, p.side),
        scatter(samples, features, p.side),
        decode(samples, features, p.hidden, values),
        decode_back(samples, features, p.hidden, values, features, p.learns_shared),
        composite(samples, p.channels) * 3,
        adam(3 * p.side**2 * p.micro + p.bases + 1),
        adam(shared / p.batch if p.learns_shared else 0),
    ]
    decoded = through(decoder, "image decoder", p.batch, back=1.0 if p.learns_shared else 0.5)
    learned = adam(decoder.parameters / p.batch if p.learns_shared else 0)
    parts = [part * rendered for part in step]
    parts += [part * (p.views * p.decoded_epochs) for part in (decoded, learned)]
    return joined([*parts, through(encoder, "image encoder", p.batch, back=0.0) * p.views])


def our_step(settings: Any, phase: Any, wave: int, stage1_objects: int = 24) -> list[Part]:
    """One step of one object in RGB: every ray meets the object, and uses all of its samples (so: at most)."""
    from manyfields.families.fused_planes import fitter
    from manyfields.fitting import guides

    config = settings.config(stage1_objects)
    micro, macro, side, hidden = config.micro_features, config.macro_features, config.resolution, config.hidden
    rays, count = phase.rays_of_a_step(wave), settings.sampler.guided
    together = min(phase.objects_per_step, wave)
    coarse = phase.coarse_share == 1.0
    weights_learn = bool(macro and phase.weights_rate)
    learned = macro if coarse else (micro + macro if weights_learn else micro)
    features = macro if coarse else micro + macro
    waves = (config.view_degree + 1) ** 2 - 1
    numbers = (0 if coarse else 3 * side**2 * micro) + (config.base_planes * config.weight_groups * weights_learn)
    samples = rays * count + (fitter.PLACES_OUTSIDE / fitter.STEPS_PER_LOOK if phase.emptiness else 0)
    cells = HULL_SHARE * config.hull**3 / guides.PARTS / guides.STEPS_BETWEEN
    asked = replace(gather(cells, features, 0), name="guide") + decode(cells, features, hidden, 1)
    # Directions are constant along a ray: its values of all harmonics are mixed once.
    along = Part("tiny decoder", products=2.0 * rays * waves * config.channels * hidden)
    parts = [
        gather(samples, features, side),
        scatter(samples, learned, side),
        decode(samples, features, hidden, 1 + config.channels) + along,
        decode_back(samples, features, hidden, 1 + config.channels, learned, learns=False),
        composite(samples, config.channels) * 3,
        place(rays, settings.sampler.bins),
        asked,
        adam(numbers),
    ]
    if weights_learn:
        parts += [mix(config.base_planes, macro, side, together), mix_back(config.base_planes, macro, side, together)]
    return joined(parts)


def our_object(settings: Any, wave: int = 16, views: int = VIEWS, stage1_objects: int = 24) -> list[Part]:
    """The parts of one object in stage 2 with settings of ours (RGB, shared part frozen)."""
    parts = []
    for phase in settings.stage2:
        steps = phase.planned(wave, wave * views).steps * min(phase.objects_per_step, wave) / wave
        parts += [part * steps for part in our_step(settings, phase, wave, stage1_objects)]
    return joined(parts)


def one_view(settings: Any, rays: int, samples: float, stage1_objects: int = 24) -> list[Part]:
    """Rendering a view of `rays` rays that use `samples` samples in all."""
    config = settings.config(stage1_objects)
    features = config.micro_features + config.macro_features
    return [
        gather(samples, features, config.resolution),
        decode(samples, features, config.hidden, 1 + config.channels),
        composite(samples, config.channels),
        place(rays, settings.final_sampler.bins),
    ]


@torch.no_grad()
def samples_walked(
    field: Field, cameras: Cameras, bounds: Tensor, occupancy: Occupancy, sampler: Sampler, size: int
) -> tuple[int, int]:
    """Rays of the first of some views of size x size pixels, and samples until nothing more shows: for `one_view`."""
    fine = sampler.supersampling * size
    rays = cameras[0].resized(fine, fine).to(bounds.device).rays()
    origins, directions = rays.origins[None], rays.directions[None]
    of_cell = -(-sampler.across // occupancy.leaps.shape[-1])
    at = torch.zeros(origins.shape[:2], dtype=torch.int32, device=bounds.device)
    depth, used = torch.zeros_like(origins[..., 0]), 0
    while True:
        distances, lengths, at = next_samples(origins, directions, bounds, occupancy, of_cell, at, 1)
        going = (lengths[..., 0] > 0) & (torch.exp(-depth) > SEEN_THROUGH)
        if not bool(going.any()):
            return len(rays.origins), used
        used += int(going.sum())
        depth += densities(field, origins + distances * directions) * lengths[..., 0] * going


def cases() -> dict[str, tuple[str, list[Part]]]:
    """By the name of their rows: what is counted, in words, and its parts."""
    from manyfields.runs import presets

    networks = {"paper": (4, stable_diffusion_networks), "paper_compact": (16, compact_networks)}
    if find_spec("diffusers") is None:
        print("diffusers is not installed: nothing with the decoder of Stable Diffusion")
        del networks["paper"]
    found = {}
    for name, (channels, both) in networks.items():
        decoder, encoder = both()
        parts = paper_object(decoder, encoder, PaperSettings(channels=channels))
        found[name] = (f"the paper's stage 2, image decoder: {decoder.name}", parts)
    ours = our_object(presets()["fused-planes"])
    return {**found, "ours": ("the preset fused-planes, all rays and samples used", ours)}


def rows(name: str, title: str, parts: list[Part]) -> Iterator[Record]:
    """Of each part, and of all together."""
    total = replace(sum(parts[1:], parts[0]), name="all")
    for part in [*parts, total]:
        seconds = H200.floor(parts) if part is total else H200.seconds(part)
        values = {
            "operations": (part.flop / 1e12, "TFLOP"),
            "moved": (part.moved, "bytes"),
            "gathered": (part.gathered, "bytes"),
            "h200_seconds": (seconds, "s"),
            "share_of_operations": (part.flop / total.flop, "share"),
        }
        for figure, (value, unit) in values.items():
            row = f"floor.{name}.{part.name.lower().replace(' ', '_')}.{figure}"
            yield new_record(row, value, unit, f"counted, not measured: one object, {title}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, "floor")
    given = parse(parser)
    totals = {}
    for name, (title, parts) in cases().items():
        print(table(title, parts, [H200]))
        keep(given, rows(name, title, parts))
        totals[name] = sum(part.flop for part in parts)
    if "paper" in totals:
        ratio = totals["paper"] / totals["paper_compact"]
        note = "counted: operations with the decoder of Stable Diffusion over those with the compact one"
        keep(given, [new_record("floor.paper.operations_over_compact", ratio, "x", note)])


if __name__ == "__main__":
    main()
