"""The ablations of mixtures of implicit functions: the paper's tables 4, 5 and 6 at our scale, and its figure 4.

    python -m benchmarks.mixture.ablations --data ../shared/data/renders/vehicles --steps 600
    python -m benchmarks.mixture.ablations --data ... --steps 60 --refine 50 --only coefficients  # some minutes

Each row is one training on the same images at 64 x 64; images of some designs are set apart, and adapted to what it
has learned. PSNR is that of a sample of the training images, and of all unseen ones by the way of adaptation that the
shared part has learned with (inner steps; of auto-decoding, latent vectors that learn from the average), and after
latent vectors have learned on, the shared part frozen (`psnr_unseen_refined`; the same of auto-decoding).

Rows go to benchmarks/results/mixture_ablations.json as soon as a training is measured; with --keep those that are
there, of the same settings, are not measured again. The similarity of bases is drawn beside them. At the end it says of
each table of the paper whether our order of rows is the paper's.
"""

import argparse
import io
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import rows as records
from benchmarks.mixture.ablation_tables import PARTS, TRAININGS, Training, summary, trainings_of
from manyfields._io import write_atomic
from manyfields.errors import RunError
from manyfields.evaluation.instances import psnr
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.record import Record, new_record, read_records
from manyfields.families.mixture.basis_similarity import basis_similarity, mean_similarity, similarity_picture
from manyfields.families.mixture.field import MixtureFamily
from manyfields.families.mixture.instance_fitter import InstanceFitter
from manyfields.families.mixture.phases import instances
from manyfields.families.registry import new_fitter, new_shared
from manyfields.fitting.instance_data import InstanceData
from manyfields.fitting.phases import Phase
from manyfields.runs.record import RunRecord
from manyfields.runs.settings import settings_from
from manyfields.views.instances import Instance, InstanceSet, read_images

PICTURE = "basis_similarity.png"
SHOWN = "h512"  # whose bases are drawn
SIDE, PIXELS, MEASURED = 64, 256, 160  # pixels along a side, of an image in a step; training images that are measured
UNITS = {
    **dict.fromkeys(("psnr_train", "psnr_unseen", "psnr_unseen_refined"), "dB"),
    "seconds": "s",
    "learnable": "numbers",
    "network": "numbers",
}


def split(found: InstanceSet, unseen: int, images: int) -> tuple[InstanceData, InstanceData]:
    """Images to learn from, and those of `unseen` designs, `images` of each object at most."""
    groups = sorted({item.group or "" for item in found})
    apart = set(groups[:: max(1, len(groups) // unseen)][:unseen])
    taken: dict[str, int] = {}
    sides: tuple[list[Instance], list[Instance]] = ([], [])
    for item in found:
        of = item.id.rsplit("-", 1)[0]
        taken[of] = taken.get(of, 0) + 1
        if taken[of] <= images:
            sides[(item.group or "") in apart].append(item)
    return InstanceData(sides[0]), InstanceData(sides[1])


def record_of(training: Training, seed: int) -> RunRecord:
    """A run of these settings that is never written."""
    layers, width, bases, latent = training.sizes
    changes = {
        "seed": seed,
        "hidden_layers": layers,
        "width": width,
        "bases": bases,
        "latent": latent,
        "coefficients": training.coefficients,
        "side": SIDE,
        "adaptation": training.adaptation,
        "inner_steps": training.inner_steps,
        "stored_steps": training.inner_steps,
    }
    settings = settings_from("mixture-images", changes)
    return RunRecord(settings, data=[], size=(SIDE, SIDE), stage1=[], stage2=[], held_out={})


def phases(training: Training, arguments: argparse.Namespace) -> tuple[Phase, Phase]:
    """Of the training, and of latent vectors of unseen images."""
    base, projection = arguments.rates
    # Of random vectors: the preset's are of principal ones.
    learn = replace(instances(1)[0], steps=max(1, round(training.length * arguments.steps)))
    learn = replace(learn, base_rate=base, fields_rate=projection, gradient_norm=arguments.gradient_norm)
    refine = replace(instances(1, shared=False)[0], steps=arguments.refine)
    return replace(learn, rays_per_object=PIXELS), replace(refine, rays_per_object=PIXELS)


@torch.no_grad()
def mean_psnr(fitter: InstanceFitter, rows: range) -> float:
    """Of some instances of a fitter, at all their pixels."""
    found = []
    for some in torch.tensor(rows).split(32):
        points, truth = fitter.data.whole(some)
        found.append(psnr(fitter.shared.family.values(fitter.codes_of(some.tolist()).tensors["latent"], points), truth))
    return float(torch.cat(found).mean())


def measured(
    training: Training, seen: InstanceData, unseen: InstanceData, arguments: argparse.Namespace
) -> tuple[MixtureFamily, dict[str, float]]:
    """Train, and all figures of a row. Raises RunError where it diverges."""
    record = record_of(training, arguments.seed)
    learn, refine = phases(training, arguments)
    fitter: Any = new_fitter(record.settings, new_shared(record.settings, []), seen, average=False)
    family, meta = fitter.shared.family, fitter.settings.meta
    began = time.monotonic()
    fitter.begin(learn)
    fitter.run(learn)
    figures = {"seconds": time.monotonic() - began}
    figures["psnr_train"] = mean_psnr(fitter, range(0, len(seen), -(-len(seen) // MEASURED)))
    if not meta:
        family.remember_average(fitter.store.all())
    new: Any = new_fitter(record.settings, fitter.shared, unseen, average=True)
    everyone = range(len(unseen))
    if meta:
        figures["psnr_unseen"] = mean_psnr(new, everyone)
        new = new.keeping()
    new.begin(refine)
    new.run(refine)
    figures["psnr_unseen_refined"] = mean_psnr(new, everyone)
    figures.setdefault("psnr_unseen", figures["psnr_unseen_refined"])
    return family, {**figures, "learnable": family.config.learnable, "network": family.config.network}


def rows_of(name: str, note: str, figures: Mapping[str, float | None]) -> list[Record]:
    """Of a training in this process."""
    start, here = f"mixture_ablations.{name}", (origin_here(),)
    return [
        new_record(f"{start}.{key}", value, UNITS.get(key, ""), note, trained=here) for key, value in figures.items()
    ]


def draw_bases(family: MixtureFamily, path: Path) -> dict[str, float]:
    """Write the picture, of hidden layers as in the paper; returns the mean similarity of each layer."""
    from PIL import Image

    matrices, file = basis_similarity(family), io.BytesIO()
    Image.fromarray(similarity_picture(matrices[1:-1], first=1)).save(file, "PNG", optimize=True)
    write_atomic(path, file.getvalue())
    return {f"similarity_{layer}": mean_similarity(matrix) for layer, matrix in enumerate(matrices)}


def known(path: Path, notes: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """By figure, then by training: what a file has of trainings with these notes."""
    found: dict[str, dict[str, float]] = {"psnr_train": {}, "psnr_unseen": {}}
    for row in read_records(path):
        _, name, figure = row.name.split(".")
        if figure in found and row.note == notes.get(name) and isinstance(row.value, float):
            found[figure][name] = row.value
    return found


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--refine", type=int, default=150, help="steps of latent vectors of unseen images")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=["table4", "table5", "table6"])
    parser.add_argument("--keep", action="store_true", help="do not measure again what is there of the same settings")
    # Of the bases and the projection: larger ones diverge with second derivatives.
    parser.add_argument("--rates", type=float, nargs=2, default=(3e-4, 1e-3), metavar=("BASES", "PROJECTION"))
    parser.add_argument("--gradient-norm", type=float, default=0.1, help="gradients are shortened to it; 0: never")
    parser.add_argument("--unseen", type=int, default=10, help="designs that are set apart")
    parser.add_argument("--images", type=int, default=8, help="of each object")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "mixture_ablations")
    arguments = records.parse(parser, words)
    results = records.file_of(arguments)
    torch.set_num_threads(arguments.threads)
    seen, unseen = split(read_images(arguments.data, SIDE), arguments.unseen, arguments.images)
    notes = {name: note_of(training, seen, unseen, arguments) for name, training in TRAININGS.items()}
    for name in trainings_of(arguments.only):
        if arguments.keep and all(name in figures for figures in known(results, notes).values()):
            print(f"{name:12} is there", flush=True)
            continue
        try:
            family, figures = measured(TRAININGS[name], seen, unseen, arguments)
        except RunError as error:
            empty = dict.fromkeys(("psnr_train", "psnr_unseen", "psnr_unseen_refined"))
            records.keep(arguments, rows_of(name, f"{notes[name]}; {error}", empty))
            continue
        if name == SHOWN:
            figures |= draw_bases(family, arguments.results.with_name(PICTURE))
        records.keep(arguments, rows_of(name, notes[name], figures))
    print(*summary(known(results, notes)), sep="\n")


def note_of(training: Training, seen: InstanceData, unseen: InstanceData, arguments: argparse.Namespace) -> str:
    """Settings of a training: rows with the same note need not be measured again."""
    learn, refine = phases(training, arguments)
    return (
        f"{arguments.data.name}, {len(seen)} images, {len(unseen)} of unseen designs; {training.line}; {learn.steps} "
        f"steps of {learn.objects_per_step} images, {PIXELS} pixels each, rates {learn.base_rate:g} and "
        f"{learn.fields_rate:g}, gradients up to {learn.gradient_norm:g}, refined in {refine.steps}; "
        f"seed {arguments.seed}, {arguments.threads} threads"
    )


if __name__ == "__main__":
    main()
