"""`sample` and `interpolate`: new objects of a prior as a collection, and pictures of what lies between objects."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields._checks import FINITE, SEED
from manyfields._lock import only_process
from manyfields.cameras import orbit
from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.collection.shared_file import stored_sampler
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.parts import ObjectParts
from manyfields.families.registry import codec_of, family_of, parts_of
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.progress import Progress, silent
from manyfields.generation import Prior, bilinear_grid
from manyfields.runs.pictures import check_picture, contact_sheet, render_object, write_picture
from manyfields.runs.prior import codes_and_boxes, open_prior
from manyfields.shared_part import render_code

SHEET = "samples.png"
WAVE = 32  # samples stored at once
ELEVATION, AZIMUTH = 25.0, 1  # of pictures: which of 8 views around the object

Scheduler = Literal["ddpm", "ddim", "dpm"]
Way = Literal["diffusion", "gaussian", "neighbours"]


def sample(
    run: Path | str,
    out: Path | str,
    *,
    count: int = 16,
    seed: int = 0,
    label: str | None = None,
    way: Way = "diffusion",
    scheduler: Scheduler = "dpm",
    steps: int | None = None,
    guidance: float = 1.0,
    spread: float | None = None,
    candidates: int | None = None,
    prior: Path | None = None,
    size: int = 128,
    films: int = 0,
    progress: Progress = silent,
) -> Collection:
    """Draw objects from the prior of a run and store them as a collection with the same shared part.

    `out` gets the collection, a sheet of one view of each (samples.png), and orbits of the first `films` of them. The
    same seed gives the same objects. The index holds how far the nearest object that the prior was learned from is, in
    coordinates of the prior (`nearest`), as a metric of each. `spread`, `candidates`: as those of `Prior.sample`.
    Raises RunError where no prior is trained, ConfigError for a label that it does not know, for a prior of another
    shared part, a spread below 0, or counts below 1; CollectionError where `out` holds a collection already.

    >>> from manyfields.generation.settings import PriorSettings
    >>> from manyfields.runs.prior import train_prior
    >>> file = train_prior("runs/vehicles", PriorSettings(steps=3, width=8, blocks=1))
    >>> len(sample("runs/vehicles", "drawn", count=2, size=16))
    2
    """
    FINITE.check("guidance", guidance)
    SEED.check("seed", seed)
    if count < 1 or size < 1 or films < 0:
        raise ConfigError(f"{count} samples of {size} pixels and {films} films: at least 1, 1 and 0")
    source = open_collection(run)
    trained = open_prior(source, prior)
    vectors, classes = trained.sample(count, seed, label, way, scheduler, steps, guidance, spread, candidates)
    Path(out).mkdir(parents=True, exist_ok=True)
    with only_process(Path(out)):
        target = create_collection(
            out,
            shared=source.shared(),
            config=source.config,
            properties={
                "sampled": {
                    "from": str(Path(run).resolve()),
                    "seed": seed,
                    "label": label,
                    "way": way,
                    "scheduler": scheduler,
                    "steps": steps,
                    "guidance": guidance,
                    "spread": spread,
                    "candidates": candidates,
                    "level": trained.settings.level,
                }
            },
        )
        _store(target, trained, vectors, classes, seed, progress)
        images = []
        for number, name in enumerate(target.ids):
            images.append(view_of(target, target[name].code(), torch.as_tensor(target.entry(name).bounds), size))
            progress("rendering", number + 1, count)
        write_picture(Path(out) / SHEET, contact_sheet(np.stack(images)))
        for number, name in enumerate(target.ids[:films]):
            render_object(out, name, Path(out) / f"{name}.mp4", size=size, views=72)
            progress("films", number + 1, min(films, count))
    return target


def interpolate(
    run: Path | str,
    ids: Sequence[str],
    out: Path | str,
    *,
    side: int = 6,
    size: int = 128,
    progress: Progress = silent,
) -> None:
    """A picture of a grid of objects between two (a row) or four (mNIF, figure 3); needs no prior.

    Four corners are given as top left, top right, bottom left, bottom right. Raises CollectionError for an object that
    is not there, naming one that is like it; ConfigError for another number of objects, or a side below 2.

    >>> interpolate("runs/vehicles", ["car", "truck"], "between.png", side=3, size=16)
    >>> Path("between.png").exists()
    True
    """
    if len(ids) not in (2, 4):
        raise ConfigError(f"{len(ids)} objects: give two for a row, or four for a grid")
    if side < 2 or size < 1:
        raise ConfigError(f"a grid of {side} a side, of {size} pixels each: at least 2 and 1")
    check_picture(Path(out))
    collection = open_collection(run)
    for name in ids:
        if name not in collection:
            raise CollectionError(_unknown(collection, name))
    parts = parts_of(collection.shared_part)
    known = parts.of(*codes_and_boxes(collection, ids))
    rows = 1 if len(ids) == 2 else side
    images = []
    for place in range(rows * side):
        between = {name: _between(values, side)[place : place + 1] for name, values in known.items()}
        codes, boxes = parts.codes(between)
        images.append(view_of(collection, codes, boxes[0], size))
        progress("rendering", place + 1, rows * side)
    write_picture(Path(out), contact_sheet(np.stack(images), columns=side))


@torch.no_grad()
def view_of(
    collection: Collection, code: ObjectCodes, bounds: Float[Tensor, "2 3"], size: int
) -> UInt8[np.ndarray, "H W 3"]:
    """One view of an object (B = 1), from in front and above; the same for every object."""
    shared, box = collection.shared_part, bounds.float()[None]
    size = max(shared.stride, size // shared.stride * shared.stride)
    camera = orbit(8, elevation=ELEVATION, width=size, height=size)[[AZIMUTH]]
    if (pictures := family_of(shared).pictures(shared.family)) is not None:
        return pictures(code, camera)[0]
    seen = render_code(shared, code, shared.occupancy(code, box), camera, box, stored_sampler(collection))
    assert seen.images is not None
    return (seen.images[0, 0].permute(1, 2, 0).numpy() * 255.0).round().astype(np.uint8)


def _store(
    target: Collection,
    prior: Prior,
    vectors: Float[Tensor, "B D"],
    classes: Sequence[str | None],
    seed: int,
    progress: Progress,
) -> None:
    parts: ObjectParts = prior.parts(target.shared_part)
    codec = codec_of(target.shared_part)
    nearest = torch.cdist(vectors, prior.vectors).amin(1)
    for start in range(0, len(vectors), WAVE):
        codes, boxes = prior.codes(vectors[start : start + WAVE], parts)
        records = []
        for row, layers in enumerate(codec.encode(codes)):
            record = ObjectRecord(
                id=f"sample-{seed}-{start + row:05d}",
                layers=layers[: parts.layers],
                label=classes[start + row],
                bounds=boxes[row].double().numpy(),
                metrics={"nearest": float(nearest[start + row])},
            )
            records.append(record)
        target.append(records)
        progress("storing", start + len(records), len(vectors))


def _between(values: Float[Tensor, "N D"], side: int) -> Float[Tensor, "G D"]:
    if len(values) == 4:
        return bilinear_grid(values, side)
    return torch.lerp(values[0], values[1], torch.linspace(0, 1, side).unsqueeze(1))


def _unknown(collection: Collection, name: str) -> str:
    near = difflib.get_close_matches(name, collection.ids, 3, cutoff=0.4)
    hint = f"like it are {', '.join(near)}" if near else f"`manyfields info {collection.path}` lists what there is"
    return f"{collection.path}: holds no object {name!r}; {hint}"
