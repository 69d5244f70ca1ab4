"""Image autoencoders on the real vehicles, which none of them was trained on: round trips, and fields fitted in each.

    python -m benchmarks.defaults.autoencoders --work W [--objects 8] [--steps 300]

Vehicles of *tune* (benchmarks/split.py). Round trip of a few views of each; then fields fitted with latent supervision
alone (autoencoder frozen, no image ever decoded in training), and what they render at held-out views. Same steps, seed,
views and rates for every autoencoder. TAESD's weights are published (`load_autoencoder` says where they are looked
for). Rows go to benchmarks/results/autoencoder.json.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.defaults.choices import quality_of, scored
from benchmarks.rows import add_flags, keep, parse
from benchmarks.speed.bench import SIZE, render_vehicles
from benchmarks.split import designs
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import Record, new_record
from manyfields.evaluation.scores import mean_scores
from manyfields.families.registry import new_fitter, new_shared
from manyfields.fitting.data import FittingData, FittingObject, load_object, load_views
from manyfields.latents import Autoencoder, load_autoencoder
from manyfields.memory import keep_freed_memory
from manyfields.runs import presets
from manyfields.views import composite, read_views

NAMES = ("compact", "taesd", "taesd3")
VIEWS = 4


@torch.no_grad()
def round_trip(name: str, objects: list[FittingObject]) -> Iterator[Record]:
    """There and back, of held-out views; nothing was fitted to them."""
    autoencoder: Autoencoder = load_autoencoder(name)
    scores = []
    for item in objects:
        rgba, _ = load_views(item.source, item.test[:VIEWS], (SIZE, SIZE))
        images = torch.from_numpy(composite(rgba.numpy())).permute(0, 3, 1, 2).float() / 255
        scores += scored(autoencoder.decode(autoencoder.encode(images)), rgba)
    note = f"{len(objects)} vehicles, {VIEWS} views of each, {SIZE}x{SIZE}; weights as published, nothing fitted"
    for figure, (value, unit) in quality_of(scores).items():
        yield new_record(f"autoencoder.{name}.round_trip.{figure}", value, unit, note)


def latent_supervision(name: str, objects: list[FittingObject], steps: int) -> Iterator[Record]:
    settings = replace(presets()["latent"], autoencoder=name)
    data = FittingData(objects)
    fitter = new_fitter(settings, new_shared(settings, objects), data, average=False)
    warm_up = settings.stage1[0]
    phase = replace(warm_up, name="latent", steps=steps, epochs=0, final_rate=0.05, coarse_share=0.0)
    fitter.begin(phase)
    fitter.run(phase)
    scores = []
    for row, item in enumerate(objects):
        rgba, cameras = load_views(item.source, item.test, (SIZE, SIZE))
        with torch.no_grad():
            index = torch.tensor([row])
            codes = fitter.store.all()[index]
            seen = fitter.shared.pictures(codes, cameras[None], data.bounds[index], settings.final_sampler)
        assert seen.images is not None
        scores.append(mean_scores(scored(seen.images[0], rgba)))
    note = f"{len(objects)} vehicles, 144 + 16 views, {steps} steps of 16 views, latent loss alone"
    for figure, (value, unit) in quality_of(scores).items():
        yield new_record(f"autoencoder.{name}.latent_supervision.{figure}", value, unit, note, trained=[origin_here()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    add_flags(parser, "autoencoder")
    given = parse(parser)
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    chosen = designs("vehicles", "tune")[: given.objects]
    render_vehicles(given.work / "vehicles_128", chosen)
    views = read_views(given.work / "vehicles_128")
    objects = [load_object(views[name], (SIZE, SIZE), seed=0) for name in chosen]
    for name in NAMES:
        keep(given, round_trip(name, objects))
        keep(given, latent_supervision(name, objects, given.steps))


if __name__ == "__main__":
    main()
