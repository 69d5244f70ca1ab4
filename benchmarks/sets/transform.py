"""A set of vehicles by one codec: bytes an object against PSNR from decoded bytes, on designs that nothing has seen.

    manyfields fit VIEWS --stage1-objects 24 --out W/run  # first: the run to compress (92 vehicles, 66 designs)
    python -m benchmarks.sets.transform record --work W   # figures of record at one lambda
    python -m benchmarks.sets.transform curve  --work W --lambdas 0.02 0.2 0.5
    python -m benchmarks.sets.transform float16 --work W  # planes of 16 bits, fitted for as many steps more

Objects are those of stage 2. They are parted by design (`group`): the codec learns from some, and is measured on
others; no design is on both sides, and the shared part has seen neither. Each lambda makes a collection in W, which is
gone on with if it is there: bytes are those of its files, PSNR that of its objects as they are read back. Rows go to
benchmarks/results/sets.json.
"""

import argparse
import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.places import RESULTS
from manyfields.collection import Collection, ObjectRecord, create_collection, open_collection
from manyfields.compression.base_planes import code_shared
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.families.fused_planes.latents.fitter import learn_codec
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.plane_loss import PlaneLoss
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject, load_object
from manyfields.runs import RunRecord
from manyfields.runs.originals import fitted_objects
from manyfields.runs.sources.held_out import measure_codes, measure_layers
from manyfields.views import read_views

ROWS = RESULTS / "sets.json"
MEASURED, LEARNED_FROM = 20, 32
MANY = 10_000
DECODED = 20  # times each object, of which the median counts


class Bench:
    def __init__(self, work: Path, measured: int, learned_from: int) -> None:
        self.work = work
        self.source, self.record = open_collection(work / "run"), RunRecord.load(work / "run")
        self.views = {item.id: item for item in read_views(self.record.data[0])}
        of_stage1 = {self.source.entry(name).group for name in self.record.stage1}
        groups: dict[str, list[str]] = {}
        for name in self.record.stage2:
            group = self.source.entry(name).group or name
            if group not in of_stage1:
                groups.setdefault(group, []).append(name)
        order = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
        self.measured: list[str] = []
        while order and len(self.measured) < measured:
            self.measured += groups[order.pop(0)]
        self.learned_from = [name for group in order for name in groups[group]][:learned_from]
        self.before = {name: self.source.entry(name).metrics["psnr"] for name in self.measured}

    def item(self, name: str) -> FittingObject:
        kept = self.record.settings
        size = tuple(self.record.size)
        item = load_object(self.views[name], size, seed=kept.seed, fraction=kept.held_out, hull=kept.hull)
        assert item.held_out == self.record.held_out[name]["views"]
        return item

    def code(self, name: str) -> Codes:
        code = self.source[name].code()
        assert isinstance(code, Codes)
        return code

    def loss(self, name: str, settings: SetSettings) -> PlaneLoss:
        sampler = self.record.settings.sampler.at(1.0)
        return PlaneLoss(self.source.shared_part, self.item(name), self.code(name), sampler, rays=settings.rays)

    def collection(self, settings: SetSettings) -> Collection:
        """The measured objects, compressed; objects that are there already are not made again."""
        shape: dict[str, Any] = {"seed": 0, "steps": settings.steps, "set": asdict(settings)}
        folder = self.work / f"set-{settings.price:g}-{settings.steps}"
        if not (folder / "collection.json").exists():
            began = time.perf_counter()
            family = self.source.shared_part.family.config
            losses = [self.loss(name, settings) for name in self.learned_from]
            codes = Codes.concatenate([self.code(name) for name in self.learned_from])
            codec = learn_codec(losses, codes, family, settings)
            seconds = time.perf_counter() - began
            shared, config = code_shared(self.source.shared(), self.source.config)
            create_collection(
                folder,
                shared=shared,
                config=config,
                properties={**self.source.properties, "compressed": shape, "seconds_of_learning": seconds},
                codec=(codec.tensors(), {**codec.file_config(), "codec": TransformMicroCodec.stored_as}),
            )
            print(f"codec from {len(losses)} objects: {seconds:.0f} s", flush=True)
        target = open_collection(folder)
        for name in self.measured:
            if name not in target:
                target.append([self._stored(target, name)])
                print(name, target.entry(name).metrics, flush=True)
        return target

    def _stored(self, target: Collection, name: str) -> ObjectRecord:
        entry, item = self.source.entry(name), self.item(name)
        began = time.perf_counter()
        objects = fitted_objects(target.shared_part, [item], self.record)
        (layers,) = target.codec.encode(self.code(name), objects)
        seconds = time.perf_counter() - began
        box = torch.as_tensor(entry.bounds)
        metrics = measure_layers(target, layers, box, item.source, item.test, self.record.size)
        metrics["seconds"] = seconds
        return ObjectRecord(name, layers, entry.label, entry.group, entry.world_to_object, entry.bounds, metrics)

    def decode_seconds(self, target: Collection) -> float:
        """Median over objects of the median of several times, layers to planes, after a first one."""
        found = []
        for name in self.measured:
            layers = target.layers(name)
            target.codec.decode([layers])
            times = []
            for _ in range(DECODED):
                began = time.perf_counter()
                target.codec.decode([layers])
                times.append(time.perf_counter() - began)
            found.append(median(times))
        return median(found)

    def float16_psnr(self, settings: SetSettings) -> float:
        """Of float16 planes that are fitted for as many steps more, at the rate that VQ's indices are fitted with."""
        values = []
        for name in self.measured:
            loss, code = self.loss(name, settings), self.code(name)
            texels = loss.micro[loss.texels].requires_grad_()
            gain = float(texels.detach().square().mean().sqrt())
            optimizer = torch.optim.Adam([texels], lr=0.03 * gain, betas=(0.9, 0.99))
            for step in range(settings.steps):
                planes = torch.zeros_like(loss.micro).index_put((loss.texels,), texels)
                loss(planes, "latents", step).backward()
                optimizer.param_groups[0]["lr"] = 0.03 * gain * settings.decay(step, settings.steps)
                optimizer.step()
                optimizer.zero_grad()
            micro = torch.zeros_like(loss.micro).index_put((loss.texels,), texels.detach()).half().float()
            fitted = Codes({**code.tensors, "micro": micro[None]})
            item, box = self.item(name), torch.as_tensor(self.source.entry(name).bounds)
            figures = measure_codes(self.source, fitted, box, item.source, item.test, self.record.size, coarse=False)
            values.append(figures["psnr"])
            print(name, self.before[name], figures["psnr"], flush=True)
        return sum(values) / len(values)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def figures(bench: Bench, target: Collection, settings: SetSettings) -> dict[str, tuple[float, str]]:
    """Name to (value, unit): means over the objects measured, bytes of files."""
    entries, sizes = [target.entry(name) for name in bench.measured], target.sizes()
    layers = [mean([entry.ranges[n][1] - entry.ranges[n][0] for entry in entries]) for n in range(4)]
    own, shared = sum(layers), sizes["shared"] + sizes["codec"]
    before = [bench.source.entry(name) for name in bench.measured]
    count = len(bench.source)
    return {
        "psnr": (mean([entry.metrics["psnr"] for entry in entries]), "dB"),
        "loss_db": (mean([bench.before[entry.id] - entry.metrics["psnr"] for entry in entries]), "dB"),
        "object_bytes": (own, "bytes"),
        f"bytes_per_object_n{count}": (own + shared / count, "bytes"),
        f"bytes_per_object_n{MANY}": (own + shared / MANY, "bytes"),
        f"planes_per_object_n{MANY}": (layers[2] + layers[3] + shared / MANY, "bytes"),
        "weights_bytes": (layers[0], "bytes"),
        "hull_bytes": (layers[1], "bytes"),
        "coarse_bytes": (layers[2], "bytes"),
        "fine_bytes": (layers[3], "bytes"),
        "shared_bytes": (sizes["shared"], "bytes"),
        "codec_bytes": (sizes["codec"], "bytes"),
        "ratio": (mean([entry.bytes for entry in before]) / own, "x"),
        "seconds_per_object": (mean([entry.metrics["seconds"] for entry in entries]), "s"),
        "seconds_of_codec": (target.properties["seconds_of_learning"], "s"),
        **{f"layer{n}.psnr": (mean([entry.metrics[f"layer{n}_psnr"] for entry in entries]), "dB") for n in range(3)},
    }


def note_of(bench: Bench, settings: SetSettings) -> str:
    groups = {bench.source.entry(name).group for name in bench.measured}
    return (
        f"{len(bench.measured)} objects of {len(groups)} designs that neither the shared part nor the codec has seen; "
        f"codec from {len(bench.learned_from)} others; lambda {settings.price:g}, {settings.steps} steps an object, "
        f"{settings.visits} visits; float16: {mean(list(bench.before.values())):.3f} dB; "
        f"{torch.get_num_threads()} threads"
    )


def rows(bench: Bench, settings: SetSettings, record: bool) -> list[Record]:
    target, note = bench.collection(settings), note_of(bench, settings)
    found = figures(bench, target, settings)
    prefix = "vehicles.transform." + ("" if record else f"lambda_{settings.price:g}.steps_{settings.steps}.")
    made = [new_record(prefix + name, value, unit, note) for name, (value, unit) in found.items()]
    if record:
        made.append(new_record(prefix + "decode_ms", 1000 * bench.decode_seconds(target), "ms", note))
        made.append(new_record("vehicles.layer0.bytes", *found["weights_bytes"], note))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("record", "curve", "float16"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--lambdas", type=float, nargs="+", default=[SetSettings.price])
    parser.add_argument("--steps", type=int, help="of each object; the default of the codec if not given")
    parser.add_argument("--visits", type=int)
    parser.add_argument("--objects", type=int, default=MEASURED, help="to measure at least, by whole designs")
    parser.add_argument("--learn-from", type=int, default=LEARNED_FROM)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROWS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.work, arguments.objects, arguments.learn_from)
    asked = {"steps": arguments.steps, "visits": arguments.visits}
    given = {name: value for name, value in asked.items() if value is not None}
    for price in arguments.lambdas:
        settings = SetSettings(price=price, **given)
        if arguments.step == "float16":
            value = bench.float16_psnr(settings)
            made = [
                new_record(
                    f"vehicles.transform.float16.steps_{settings.steps}.psnr", value, "dB", note_of(bench, settings)
                )
            ]
        else:
            made = rows(bench, settings, arguments.step == "record")
        for row in made:
            print(f"{row.name}: {row.value:.4g} {row.unit}")
        write_records(arguments.results, made)


if __name__ == "__main__":
    main()
