"""Priors of a run: how samples compare with held-out objects, beside reconstructions and the naive prior.

    manyfields fit VIEWS --stage1-objects 24 --out RUN           # first: a run, such as that of sets.transform
    python -m benchmarks.priors.samples RUN --work W             # figures of record: results/prior.json, pictures in W
    python -m benchmarks.priors.samples RUN --work W --level 1   # of layer 0 alone
    python -m benchmarks.priors.samples RUN --work W --as-drawn  # samples neither spread nor chosen from candidates

RUN may be one of mixtures of scenes, too (fit mixture): its rows are called prior.mixture.*. Those of samples
as they are drawn are called prior.*_as_drawn.*.

A quarter of the groups is held out of the prior (not of the shared part: objects of a set have a code each). Real
images are views of held-out objects; every other side renders through the cameras of those very views, at the same
size, and as many. Sides: reconstructions of held-out objects (the floor), training objects, samples of the diffusion
prior, of the Gaussian and of mixtures of neighbours; for the whole code and for layer 0. What is made is kept in W, and
a call that was interrupted goes on there. `--images 512 --samples 32 --steps 1000` is a small run of record, of about a
quarter of an hour; it wants a W of its own.
"""

import argparse
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from benchmarks import rows as records
from manyfields._io import read_json, write_json
from manyfields.cameras import Cameras, orbit, stack
from manyfields.collection import Collection, open_collection
from manyfields.collection.shared_file import stored_sampler
from manyfields.evaluation.distributions import NEIGHBOURS, frechet_distance, precision_recall
from manyfields.evaluation.image_features import ImageFeatures, load_image_features
from manyfields.evaluation.memorisation import Memorisation, memorisation
from manyfields.evaluation.origin import Origin, origin_here
from manyfields.evaluation.point_sets import compare_shapes, points_on_surface
from manyfields.evaluation.record import Record, new_record
from manyfields.families.registry import row_of
from manyfields.fields import Codes
from manyfields.fitting.data import load_views
from manyfields.generation import Prior, PriorSettings
from manyfields.runs import RunRecord, train_prior
from manyfields.runs.pictures import contact_sheet, write_picture
from manyfields.runs.prior import codes_and_boxes, open_prior
from manyfields.runs.sampling import view_of
from manyfields.shared_part import render_code
from manyfields.views import composite, read_views

HELD_OUT = 0.25
DESCRIBED_BY = 8  # views around an object, for how much two look alike
SHEET, PAIRS = 32, 16


@dataclass(frozen=True)
class Objects:
    codes: Codes
    boxes: Float[Tensor, "B 2 3"]

    def __len__(self) -> int:
        return len(self.codes)


class Bench:
    def __init__(
        self,
        run: Path,
        work: Path,
        size: int,
        images: int,
        samples: int,
        settings: PriorSettings,
        as_drawn: bool = False,
    ) -> None:
        self.work, self.size, self.samples = work, size, samples
        self.tag = "" if settings.level is None else f"layer{settings.level - 1}-"
        self.as_drawn = as_drawn
        self.collection = self._copy(run)
        self.prior = self._trained(settings)
        self.features: ImageFeatures = load_image_features()
        record = RunRecord.load(run)
        self.views = {item.id: item for folder in record.data for item in read_views(folder)}
        self.held_out = self.prior.held_out
        self.per_object = -(-images // len(self.held_out))
        self.sampler = stored_sampler(self.collection)
        self.real, self.cameras = self._real()

    def _copy(self, run: Path) -> Collection:
        """A prior is stored beside its collection: the run stays as it is."""
        copy = self.work / "run"
        if not (copy / "collection.json").exists():
            copy.mkdir(parents=True, exist_ok=True)
            for pattern in ("shared-*", "codes-*", "objects-*", "collection.json"):
                for file in run.glob(pattern):
                    shutil.copyfile(file, copy / file.name)
        return open_collection(copy)

    def _trained(self, settings: PriorSettings) -> Prior:
        kept = self.work / f"{self.tag}prior.json"
        if not kept.exists():
            path = train_prior(self.collection.path, settings, progress=_tell)
            write_json(kept, {"file": path.name, "origin": asdict(origin_here())})
        known = read_json(kept)
        self.origin = Origin(**known["origin"])
        return open_prior(self.collection, self.collection.path / known["file"])

    def _real(self) -> tuple[UInt8[Tensor, "V H W 3"], Cameras]:
        images, cameras = [], []
        for name in self.held_out:
            count = len(self.views[name].names)
            rows = np.linspace(0, count - 1, min(count, self.per_object)).round().astype(int).tolist()
            rgba, seen = load_views(self.views[name], rows, (self.size, self.size))
            images.append(torch.from_numpy(composite(rgba.numpy())))
            cameras += [seen[row] for row in range(len(seen))]
        return torch.cat(images), stack(cameras)

    def named(self, what: str) -> str:
        """File of what is made, without its ending."""
        return self.tag + what + ("-as-drawn" if self.as_drawn and what in ("diffusion", "pairs") else "")

    def known(self, ids: list[str]) -> Objects:
        return Objects(*codes_and_boxes(self.collection, ids))

    def drawn(self, way: str, count: int | None = None) -> Objects:
        plain: dict[str, Any] = {"spread": 0.0, "candidates": 1} if self.as_drawn else {}
        vectors, _ = self.prior.sample(count or self.samples, 1, way=way, **plain)
        return Objects(*self.prior.codes(vectors, self.prior.parts(self.collection.shared_part)))

    @torch.no_grad()
    def images(self, name: str, objects: Objects, in_turn: bool = True) -> UInt8[Tensor, "V H W 3"]:
        """An image through each camera: of objects in turn, or of each object in as many views as real ones have."""
        kept = self.work / f"{self.named(name)}.npy"
        if not kept.exists():
            made = np.zeros(self.real.shape, np.uint8)
            owner = torch.arange(len(made)) % len(objects) if in_turn else self._owners()
            for row in range(len(objects)):
                mine = (owner == row).nonzero().squeeze(1)
                made[mine] = self._rendered(objects, row, self.cameras[mine])
            np.save(kept, made)
            print(f"{kept.name}: {len(made)} images of {len(objects)} objects", flush=True)
        return torch.from_numpy(np.load(kept))

    def _owners(self) -> Tensor:
        counts = [min(len(self.views[name].names), self.per_object) for name in self.held_out]
        return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))

    def _rendered(self, objects: Objects, row: int, cameras: Cameras) -> UInt8[np.ndarray, "V H W 3"]:
        shared, box = self.collection.shared_part, objects.boxes[row : row + 1]
        # Layer 0 is shown with its hull, as samples of it are stored.
        code, level = objects.codes[row], self.prior.parts(shared).layers
        seen = render_code(shared, code, shared.guide(code, box, level), cameras, box, self.sampler, level)
        assert seen.images is not None
        return (seen.images[0].permute(0, 2, 3, 1).numpy() * 255.0).round().astype(np.uint8)

    def descriptors(self, name: str, objects: Objects) -> Float[Tensor, "B F"]:
        """Features of views around each object, side by side."""
        kept = self.work / f"{self.named(name)}-seen.npy"
        if not kept.exists():
            cameras = orbit(DESCRIBED_BY, elevation=20.0, width=self.size, height=self.size)
            np.save(kept, np.stack([self._rendered(objects, row, cameras) for row in range(len(objects))]))
            print(f"{kept.name}", flush=True)
        images = torch.from_numpy(np.load(kept))
        return self.features.of(images.flatten(0, 1)).view(len(images), -1)

    @torch.no_grad()
    def shapes(self, objects: Objects) -> list[np.ndarray]:
        found = []
        for row in range(len(objects)):
            box = objects.boxes[row : row + 1]
            guide = self.collection.shared_part.guide(objects.codes[row], box)
            found.append(points_on_surface(guide[0].numpy(), box[0].double().numpy()))
        return found

    def picture(self, objects: Objects, row: int, size: int = 128) -> UInt8[np.ndarray, "H W 3"]:
        return view_of(self.collection, objects.codes[row], objects.boxes[row], size)


def record(bench: Bench, prefix: str) -> list[Record]:
    """Figures of one prior, and its pictures."""
    held, training = bench.known(bench.held_out), bench.known(bench.prior.ids)
    samples = {way: bench.drawn(way) for way in ("diffusion", "gaussian", "neighbours")}
    real = bench.features.of(bench.real)
    sides = {
        "reconstruction": bench.images("reconstruction", held, in_turn=False),
        "training": bench.images("training", training),
        **{way: bench.images(way, objects) for way, objects in samples.items()},
    }
    features = {side: bench.features.of(images) for side, images in sides.items()}
    fid = {side: frechet_distance(found, real) for side, found in features.items()}
    how = (
        f"{len(bench.real)} images a side at {bench.size}x{bench.size}, {bench.features.name} features; prior of "
        f"{len(training)} objects, {len(held)} of other groups held out; {len(samples['diffusion'])} samples"
    )
    rows = [
        new_record(f"{prefix}.fid", fid["diffusion"], "FID", how),
        new_record(f"{prefix}.fid_reconstruction", fid["reconstruction"], "FID", f"held-out objects; {how}"),
        new_record(f"{prefix}.fid_training", fid["training"], "FID", f"training objects as they are; {how}"),
        new_record(f"{prefix}.fid_gaussian", fid["gaussian"], "FID", how),
        new_record(f"{prefix}.fid_neighbours", fid["neighbours"], "FID", how),
        new_record(f"{prefix}.fid_over_gaussian", fid["diffusion"] / fid["gaussian"], "ratio", how),
    ]
    for side, suffix in (("diffusion", ""), ("gaussian", "_gaussian"), ("training", "_training")):
        both = precision_recall(features[side], real)
        for name in ("precision", "recall", "f1"):
            note = f"{NEIGHBOURS} neighbours; {how}"
            rows.append(new_record(f"{prefix}.{name}{suffix}", getattr(both, name), "share", note))
    rows += _memorisation(bench, prefix, samples, held, training)
    if bench.prior.settings.level is None:
        for way in ("diffusion", "gaussian"):
            scores = compare_shapes(bench.shapes(samples[way]), bench.shapes(held))
            suffix = "" if way == "diffusion" else f"_{way}"
            note = f"2048 points a surface; {len(samples[way])} samples, {len(held)} held-out objects"
            rows.append(new_record(f"{prefix}.coverage{suffix}", scores.coverage, "share", note))
            rows.append(new_record(f"{prefix}.matching{suffix}", scores.matching, "squared units", note))
    for way, objects in samples.items():
        pictures = [bench.picture(objects, row) for row in range(min(SHEET, len(objects)))]
        write_picture(bench.work / f"{bench.named(way)}.png", contact_sheet(np.stack(pictures), columns=8))
    return rows


def _memorisation(
    bench: Bench, prefix: str, samples: dict[str, Objects], held: Objects, training: Objects
) -> list[Record]:
    seen = {"training": bench.descriptors("training", training), "held": bench.descriptors("held", held)}
    rows = []
    for way, suffix in (("diffusion", ""), ("neighbours", "_neighbours")):
        described = bench.descriptors(way, samples[way])
        found: Memorisation = memorisation(described, seen["training"], seen["held"])
        note = (
            f"distance of {bench.features.name} features of {DESCRIBED_BY} views to the nearest training object; "
            f"{len(described)} samples, {len(held)} held-out objects"
        )
        rows += [
            new_record(f"{prefix}.memorisation_ratio{suffix}", found.ratio, "median over held-out median", note),
            new_record(f"{prefix}.memorisation_copies{suffix}", found.copies, "share below every held-out", note),
        ]
        for of, values in found.quantiles().items() if way == "diffusion" else []:
            for name, value in zip(("p10", "median", "p90"), values, strict=True):
                rows.append(new_record(f"{prefix}.memorisation_{of}_{name}", value, "feature distance", note))
        if way == "diffusion":
            pairs = [
                picture
                for row in range(min(PAIRS, len(described)))
                for picture in (
                    bench.picture(samples[way], row),
                    bench.picture(training, int(found.nearest[row])),
                )
            ]
            write_picture(bench.work / f"{bench.named('pairs')}.png", contact_sheet(np.stack(pairs), columns=8))
    return rows


def _tell(phase: str, done: int, total: int, **figures: float | int | str) -> None:
    if done == total or done % 500 == 0:
        print(phase, f"{done}/{total}", figures, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--level", type=int, choices=(1,), help="the prior of layer 0 instead of that of whole codes")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=2048, help="at least so many a side")
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--steps", type=int, default=PriorSettings().steps)
    parser.add_argument("--parents", type=int, default=PriorSettings().parents)
    parser.add_argument("--evenness", type=int, default=PriorSettings().evenness)
    parser.add_argument("--neighbours", type=int, default=PriorSettings().neighbours)
    parser.add_argument("--exchange", type=float, default=PriorSettings().exchange)
    parser.add_argument("--as-drawn", action="store_true", help="samples neither spread nor chosen from candidates")
    parser.add_argument("--threads", type=int, default=1)
    records.add_flags(parser, "prior")
    chosen = records.parse(parser)
    torch.set_num_threads(chosen.threads)
    chosen_settings = {
        name: getattr(chosen, name) for name in ("level", "steps", "parents", "evenness", "neighbours", "exchange")
    }
    settings = PriorSettings(**chosen_settings, held_out=HELD_OUT)
    bench = Bench(chosen.run, chosen.work, chosen.size, chosen.images, chosen.samples, settings, chosen.as_drawn)
    family = row_of(RunRecord.load(chosen.run).settings).name.replace("-", "_")
    prefix = f"prior.{family}" if chosen.level is None else f"prior.{family}_layer0"
    prefix += "_as_drawn" if chosen.as_drawn else ""
    records.keep(chosen, records.trained_by(chosen.run, record(bench, prefix), [bench.origin]))


if __name__ == "__main__":
    main()
