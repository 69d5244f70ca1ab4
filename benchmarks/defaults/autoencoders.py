"""Results of record of the image autoencoders on the real vehicles, which none of them was trained on.

    python -m benchmarks.defaults.autoencoders --work W [--objects 8] [--steps 900]

Round trip on one view of each of the 92 vehicles of ../shared/data/renders; then fields fitted with latent supervision
alone (autoencoder frozen, no image ever decoded in training) to vehicles under W/views (`sets.vehicles views`), and
what they render at held-out views. Same steps, seed, views and rates for every autoencoder. Rows go to
benchmarks/results/autoencoder.json.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.common import designs
from benchmarks.places import RESULTS, SHARED
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.families.registry import new_fitter, new_shared
from manyfields.fitting.data import FittingData, FittingObject, load_object, load_views
from manyfields.latents import load_autoencoder
from manyfields.memory import keep_freed_memory
from manyfields.runs import presets
from manyfields.views import composite, read_views

ROWS = RESULTS / "autoencoder.json"
NAMES = ("compact", "taesd", "taesd3")


def decibels(rendered: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean PSNR over views (V, 3, H, W)."""
    error = (rendered.clamp(0, 1) - truth).square().mean((1, 2, 3))
    return float((-10 * torch.log10(error)).mean())


@torch.no_grad()
def round_trip(name: str) -> Record:
    autoencoder = load_autoencoder(name)
    views = read_views(SHARED / "data" / "renders" / "vehicles")
    pictures = [composite(item.images([number % len(item)])[0]) for number, item in enumerate(views)]
    images = torch.stack([torch.from_numpy(picture) for picture in pictures]).permute(0, 3, 1, 2).float() / 255
    value = sum(decibels(autoencoder.decode(autoencoder.encode(one[None])), one[None]) for one in images) / len(images)
    return new_record(
        f"autoencoder.{name}.round_trip", value, "dB", f"{len(images)} vehicles, one 128x128 view of each"
    )


def latent_supervision(name: str, objects: list[FittingObject], steps: int) -> Record:
    settings = replace(presets()["latent"], autoencoder=name)
    data = FittingData(objects)
    fitter = new_fitter(settings, new_shared(settings, objects), data, average=False)
    warm_up = settings.stage1[0]
    phase = replace(warm_up, name="latent", steps=steps, epochs=0, final_rate=0.05, coarse_share=0.0)
    fitter.begin(phase)
    fitter.run(phase)
    total = 0.0
    for row, item in enumerate(objects):
        rgba, cameras = load_views(item.source, item.test, (128, 128))
        truth = torch.from_numpy(composite(rgba.numpy())).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            index = torch.tensor([row])
            codes = fitter.store.all()[index]
            seen = fitter.shared.pictures(codes, cameras[None], data.bounds[index], settings.final_sampler)
        assert seen.images is not None
        total += decibels(seen.images[0], truth)
    note = f"{len(objects)} vehicles, 144 + 16 views, {steps} steps of 16 views, latent loss alone"
    return new_record(f"autoencoder.{name}.latent_supervision_psnr", total / len(objects), "dB", note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    views = read_views(arguments.work / "views")
    chosen = designs(arguments.work)[: arguments.objects]
    objects = [load_object(views[name], (128, 128), seed=0) for name in chosen]
    for name in NAMES:
        for row in (round_trip(name), latent_supervision(name, objects, arguments.steps)):
            write_records(ROWS, [row])
            print(f"{row.name:45} {row.value:8.3f} {row.unit} ({row.note})", flush=True)


if __name__ == "__main__":
    main()
