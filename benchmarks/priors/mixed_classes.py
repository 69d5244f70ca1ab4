"""Priors over mixed classes: diffusion beside mixtures of neighbours, as in the limitations of mNIF (appendix C).

    manyfields fit mixture-voxels ../shared/data/models --out RUN  # first: three classes as voxels
    python -m benchmarks.priors.mixed_classes RUN --work W

A quarter of the groups is held out of the prior. Samples of each way are compared as shapes with what was held out:
coverage and minimum matching distance by Chamfer distance, and how near samples are to the shapes that the prior was
learned from, beside how near the held-out ones are to these. Rows go to benchmarks/results/mixed_classes.json, sheets
of the first 32 samples of each way to W. `diffusion_as_drawn`: neither spread nor chosen from candidates. With
`--samples 32` it is a run of record of about ten minutes.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks import rows as records
from manyfields.collection import Collection, open_collection
from manyfields.errors import MeshError
from manyfields.evaluation.origin import origin_here
from manyfields.evaluation.point_sets import compare_shapes, points_on_surface
from manyfields.evaluation.record import Record, new_record
from manyfields.fields import Codes
from manyfields.fitting.instance_data import grid_points
from manyfields.generation import WAYS, Prior, PriorSettings
from manyfields.rendering.solids import SOLID
from manyfields.runs import train_prior
from manyfields.runs.pictures import contact_sheet, write_picture
from manyfields.runs.prior import codes_and_boxes, open_prior
from manyfields.runs.sampling import view_of

HELD_OUT, SHEET, POINTS = 0.25, 32, 1024
CUBE = np.array([[-1.0] * 3, [1.0] * 3])


@torch.no_grad()
def surfaces(run: Collection, codes: Codes, side: int) -> list[np.ndarray]:
    """Points on the surface of each; those that are empty are left out."""
    points, found = grid_points(side, 3)[None], []
    for row in range(len(codes)):
        values = run.shared_part.family.values(codes[row].tensors["latent"], points)
        try:
            solid = values.view(side, side, side).numpy()
            found.append(points_on_surface(solid, CUBE, POINTS, level=SOLID))
        except MeshError:
            continue
    return found


def to_nearest(shapes: list[np.ndarray], known: list[np.ndarray]) -> float:
    """Median over shapes of the Chamfer distance to the nearest that is known."""
    return float(np.median([compare_shapes(known, [shape]).matching for shape in shapes]))


def rows(run: Collection, prior: Prior, count: int, side: int, work: Path) -> Iterator[Record]:
    held, _ = codes_and_boxes(run, prior.held_out)
    training, _ = codes_and_boxes(run, prior.ids)
    real, known = surfaces(run, held, side), surfaces(run, training, side)
    classes = Counter(str(prior.classes[number]) for number in prior.labels.tolist())
    how = f"{', '.join(f'{number} {name}' for name, number in sorted(classes.items()))}; {len(real)} of other groups"
    new = to_nearest(real, known)
    yield new_record("mixed_classes.held_out.nearest", new, "squared units", f"to known shapes; {how}")
    drawn_by = {way: prior.sample(count, 1, way=way)[0] for way in WAYS}
    drawn_by["diffusion_as_drawn"] = prior.sample(count, 1, spread=0.0, candidates=1)[0]
    for way, vectors in drawn_by.items():
        codes, boxes = prior.codes(vectors, prior.parts(run.shared_part))
        drawn = surfaces(run, codes, side)
        note = f"{len(drawn)} samples, {POINTS} points each; {how}"
        scores = compare_shapes(drawn, real)
        yield new_record(f"mixed_classes.{way}.coverage", scores.coverage, "share", note)
        yield new_record(f"mixed_classes.{way}.matching", scores.matching, "squared units", note)
        ratio = to_nearest(drawn, known) / new
        yield new_record(f"mixed_classes.{way}.nearest_ratio", ratio, "median over held-out median", note)
        pictures = [view_of(run, codes[row], boxes[row], 96) for row in range(min(SHEET, count))]
        write_picture(work / f"{way}.png", contact_sheet(np.stack(pictures), columns=8))


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run of mixture-voxels whose objects have labels")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--steps", type=int, default=PriorSettings().steps)
    parser.add_argument(
        "--side", type=int, default=32, help="cells along a side of the grid that surfaces are taken of"
    )
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "mixed_classes")
    arguments = records.parse(parser, words)
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    run = open_collection(arguments.run)
    prior = open_prior(run, train_prior(run.path, PriorSettings(steps=arguments.steps, held_out=HELD_OUT)))
    found = rows(run, prior, arguments.samples, arguments.side, arguments.work)
    records.keep(arguments, records.trained_by(arguments.run, found, [origin_here()]))  # the run, and the prior


if __name__ == "__main__":
    main()
