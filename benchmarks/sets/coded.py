"""A run's report objects by a codec that has seen none of them, and what their planes would be without one.

    designs to learn from ──► stage 1 of the run ──► the codec learns from their planes
    designs to report     ──► added to the run   ──► stored by that codec, and measured

That is what a user has who compresses a run and adds objects to the collection: `compress` learns a codec from the
run's objects, and `add` stores new ones by it. The collection lies beside the run, with a record of what trained it.
"""

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.sets.measured import MANY, means, measure
from benchmarks.split import SETS, designs
from manyfields.collection import Collection, ObjectRecord, open_collection
from manyfields.commands._progress import to_stderr
from manyfields.errors import RunError
from manyfields.evaluation.lpips import load_lpips
from manyfields.evaluation.record import Record, new_record
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.families.codec import Codec
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress
from manyfields.runs import RunRecord
from manyfields.runs.compression_waves import Waves
from manyfields.runs.originals import RunObjects, together
from manyfields.runs.record import FILE
from manyfields.runs.sources.held_out import render_codes
from manyfields.views import read_views

Figures = dict[str, tuple[float, str]]
"""Name to (value, unit)."""
RATE, LEAST_RATE, BETAS = 0.03, 0.02, (0.9, 0.99)  # of planes that are fitted further, in units of their gain


class Part(RunObjects):
    """Some of the objects of a run, as a codec finds them."""

    def __init__(self, of: RunObjects, ids: Sequence[str]) -> None:
        super().__init__(of.collection, of.record, of.views)
        self._ids = list(ids)

    @property
    def ids(self) -> list[str]:
        return self._ids


class Bench:
    """A run as `benchmarks.sets.quality` makes it, and up to `objects` of its report objects."""

    def __init__(self, run: Path, objects: int | None = None) -> None:
        self.run, self.source, self.record = run, open_collection(run), RunRecord.load(run)
        held = self.record.held_out
        views = {
            item.id: item
            for number, folder in enumerate(self.record.data)
            for item in read_views(folder)
            if held.get(item.id, {}).get("source") == number
        }
        self.all = RunObjects(self.source, self.record, views)
        self.kind = kind_of(self.source)
        report = [name for name in designs(self.kind, "report") if name in self.source]
        if seen := set(report) & set(self.record.stage1):
            raise RunError(f"{run}: its shared part was learned from {sorted(seen)[0]}, which is to be reported")
        self.measured = report[:objects]
        self.learned_from = [name for name in self.record.stage1 if name in self.source]
        size = self.record.size[0]
        self.suffix = "" if size == 128 else f"_{size}"

    def row(self, name: str, value: Any, unit: str, note: str, record: RunRecord | None = None) -> Record:
        """`record`: that of the collection that it is of, if not of the run."""
        trained = (record or self.record).trained
        return new_record(f"{self.kind}.{name}{self.suffix}", value, unit, note, trained=trained)

    def code(self, name: str) -> Codes:
        (code,) = self.all.codes([name])
        assert isinstance(code, Codes)
        return code

    @cached_property
    def before(self) -> dict[str, Scores]:
        """Scores of the measured objects as the run has them, in float16."""
        return {name: scores[0] for name, scores in measure(self.run, self.measured)[0].items()}

    def fitted_further(self, steps: int, rays: int) -> tuple[dict[str, Scores], float]:
        """Scores of float16 planes that were given as many steps more as the codec gives, and the seconds of each.

        Whatever a codec that fits to views again gains by its steps alone, these gain, too.
        """
        lpips, _ = load_lpips()
        scores, spent = {}, 0.0
        for name in self.measured:
            began = time.perf_counter()
            objects, code = self.all.fitted([name]), self.code(name)
            loss = PlaneLoss(objects.shared, objects.objects[0], code, objects.sampler.at(1.0), rays=rays)
            further = Codes({**code.tensors, "micro": planes_after(loss, steps)[None]})
            spent += time.perf_counter() - began
            views, size = self.all.views[name], self.record.size
            test = [views.names.index(view) for view in self.record.held_out[name]["views"]]
            box = torch.as_tensor(self.source.entry(name).bounds)
            scores[name] = mean_scores(render_codes(self.source, further, box, views, test, size).scores(lpips))
            to_stderr(f"{name}: float16 {figure(self.before[name])}, after {steps} steps more {figure(scores[name])}")
        return scores, spent / len(self.measured)


class Coded:
    """The measured objects of a bench in a collection of their own, stored by a codec."""

    def __init__(
        self,
        bench: Bench,
        folder: Path,
        kind: type[Codec[Any]],
        settings: Any,
        progress: Progress,
        first: int = 0,
        layers: bool = True,
    ) -> None:
        """Goes on with `folder`, if it is there. `first`: objects learned from that a codec needs once more, where it
        `learns_from_first_wave`; `layers`: whether all layers but the last are measured, too."""
        self.bench = bench
        learned, measured = Part(bench.all, bench.learned_from), Part(bench.all, bench.measured)
        plan = {**kind.plan(settings, learned, 0, to_stderr), "of": bench.source.shared_hash}
        if not (folder / "collection.json").exists():
            began = time.perf_counter()
            codec = kind.learn(learned, plan, progress)
            if kind.learns_from_first_wave:
                wave = bench.learned_from[-first:]
                codec, _ = codec.first_wave(together(learned.codes(wave)), learned.fitted(wave), progress)
            told = {**plan, "learned_in": time.perf_counter() - began}
            Waves(learned, kind, told, folder, progress).publish(codec)
            here = RunRecord.load(bench.run)
            here.trained_here()
            here.save(folder)
        self.collection, self.record = open_collection(folder), RunRecord.load(folder)
        made = dict(self.collection.properties["compressed"])
        self.learned_in = made.pop("learned_in")
        if made != plan:
            raise RunError(f"{folder / FILE} is of another run or of other settings: choose another folder")
        if any(name not in self.collection for name in bench.measured):
            self.record.trained_here()
            self.record.save(folder)
        for number, name in enumerate(bench.measured):
            if name not in self.collection:
                self.collection.append([self._stored(measured, name, progress)])
            progress("objects by the codec", number + 1, len(bench.measured))
        self.but_the_last = len(self.collection.layers(bench.measured[0])) - 1
        levels = (None, self.but_the_last) if layers else (None,)
        self.scores = measure(folder, bench.measured, levels, progress)[0]

    def _stored(self, measured: Part, name: str, progress: Progress) -> ObjectRecord:
        entry, began = self.bench.source.entry(name), time.perf_counter()
        objects = measured.fitted([name]).within(self.collection.shared_part)
        (layers,) = self.collection.codec.encode(measured.codes([name])[0], objects, progress)
        metrics = {"seconds": time.perf_counter() - began}
        return ObjectRecord(name, layers, entry.label, entry.group, entry.world_to_object, entry.bounds, metrics)

    def quality(self) -> Figures:
        """Of whole objects, of all layers but the last, and what they lost against the run's float16."""
        found = means(scores[0] for scores in self.scores.values())
        for name, value in means(score for scores in self.scores.values() for score in scores[1:]).items():
            found[f"layer{self.but_the_last - 1}.{name}"] = value
        found |= {f"float16.{name}": value for name, value in means(self.bench.before.values()).items()}
        return found | self.losses("loss", self.bench.before)

    def losses(self, name: str, against: dict[str, Scores]) -> Figures:
        """What whole images and foregrounds have less than other scores of the same objects."""
        here, there = (means(scores) for scores in ((each[0] for each in self.scores.values()), against.values()))
        of = {"psnr": f"{name}_db", "foreground_psnr": f"foreground_{name}_db"}
        return {of[each]: (there[each][0] - here[each][0], "dB") for each in of if each in here}

    def costs(self) -> Figures:
        """Bytes of files, and seconds. Shared bytes are divided by the objects of the run, and by many."""
        ids, count = self.bench.measured, len(self.bench.source)
        entries, found = [self.collection.entry(name) for name in ids], self.collection.sizes()
        own, shared = mean([entry.bytes for entry in entries]), found["shared"] + found["codec"]
        parts: dict[str, list[float]] = {}
        for name in ids:
            for part, size in self.collection.codec.part_sizes(self.collection.layers(name)).items():
                parts.setdefault(part.partition(" ")[0], []).append(size)
        before = mean([self.bench.source.entry(name).bytes for name in ids])
        return {
            "object_bytes": (own, "bytes"),
            **{f"{part}_bytes": (mean(sizes), "bytes") for part, sizes in parts.items()},
            "shared_bytes": (found["shared"], "bytes"),
            "codec_bytes": (found["codec"], "bytes"),
            "objects_of_the_set": (count, ""),
            "object_and_share_bytes": (own + shared / count, "bytes"),
            f"object_and_share_of_{MANY}_bytes": (own + shared / MANY, "bytes"),
            "float16.object_bytes": (before, "bytes"),
            "ratio": (before / own, "x"),
            "seconds_per_object": (mean([entry.metrics["seconds"] for entry in entries]), "s"),
            "seconds_of_codec": (self.learned_in, "s"),
        }


def kind_of(collection: Collection) -> str:
    """The set of which a collection holds designs to report. Raises RunError where there is none."""
    for kind in SETS:
        if any(name in collection for name in designs(kind, "report")):
            return kind
    raise RunError(f"{collection.path} holds none of the designs that are to be reported: add them first")


def planes_after(loss: PlaneLoss, steps: int) -> torch.Tensor:
    """The micro planes (3, H, W, F) of an object after more steps, at the rate that indices are fitted with; float16's
    numbers."""
    texels = loss.micro[loss.texels].requires_grad_()
    gain = float(texels.detach().square().mean().sqrt())
    optimizer = torch.optim.Adam([texels], lr=RATE * gain, betas=BETAS)
    for step in range(steps):
        planes = torch.zeros_like(loss.micro).index_put((loss.texels,), texels)
        loss(planes, "latents", step).backward()
        optimizer.param_groups[0]["lr"] = RATE * gain * max(1.0 - step / steps, LEAST_RATE)
        optimizer.step()
        optimizer.zero_grad()
    return torch.zeros_like(loss.micro).index_put((loss.texels,), texels.detach()).half().float()


def figure(scores: Scores) -> str:
    return f"{scores.foreground_psnr or 0:.2f} dB of the foreground"


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
