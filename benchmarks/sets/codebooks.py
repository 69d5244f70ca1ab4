"""Micro planes of the real vehicles by codebooks that the set shares: bytes an object, and what they cost in PSNR.

    python -m benchmarks.sets.vehicles fit      --work W --minutes 8  # first: the run that is compressed, W/run-forty
    python -m benchmarks.sets.codebooks record   --work W             # the figures of record
    python -m benchmarks.sets.codebooks table    --work W             # codebooks of 2, 4, 6, 8 bits, of three kinds

Objects that are measured are those of stage 2, which the shared part has not seen, and no codec has seen an object that
it is measured on: one codec learns from all but every second one of them, one from all but the others. Bytes are those
of the micro layer as stored and of the codec's file divided by the number of objects measured. The loss is what PSNR on
held-out views lacks of the PSNR of the run's own float16 planes. Rows go to benchmarks/results/vq_micro.json.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from benchmarks.places import RESULTS
from manyfields.collection import open_collection
from manyfields.collection.tensors import write_part
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.codebooks.distil import Distillation, distil
from manyfields.families.fused_planes.codebooks.settings import BITS, STEPS
from manyfields.fields import Codes
from manyfields.fitting.data import load_object
from manyfields.runs import RunRecord
from manyfields.runs.sources.held_out import measure_codes
from manyfields.views import read_views

ROWS = RESULTS / "vq_micro.json"
KINDS = ("single", "residual", "product")  # one codebook; a second one for what it leaves; one for every two features
TABLE_BITS = (2, 4, 6, 8)
FOR_TABLES = 8  # objects whose fitted indices the tables of frequencies are learned from


class Figures(NamedTuple):
    bytes: float
    """Of the micro layer, with the codec's share."""
    codec: float
    psnr: float
    seconds: float
    """Of fitting indices, an object."""


class Bench:
    """A run with objects of stage 2, split in two: a codec for either half learns from all other objects."""

    def __init__(self, run: Path, objects: int | None) -> None:
        self.collection, self.record = open_collection(run), RunRecord.load(run)
        self.views = {item.id: item for item in read_views(self.record.data[0])}
        self.codes = {name: self.collection[name].code() for name in self.collection}
        self.measured = [name for name in self.record.stage2 if name in self.codes][:objects]
        self.halves = [self.measured[::2], self.measured[1::2]]
        self.plain_bytes = sum(self._layer_bytes(name) for name in self.measured) / len(self.measured)
        self.plain_psnr = self._mean_psnr(self.codes)

    def codecs(self, bits: tuple[int, ...], groups: int) -> Iterator[tuple[VqMicroCodec, list[str], list[str]]]:
        """(codec, objects it has learned from, objects to measure it on)."""
        family = self.collection.shared_part.family.config
        for half in self.halves:
            seen = [name for name in self.codes if name not in half]
            codes = Codes.concatenate([self.codes[name] for name in seen])
            yield VqMicroCodec.of_codes(codes, family.layers, family.code_shapes(), bits, groups=groups), seen, half

    def measure(self, bits: tuple[int, ...], groups: int, settings: Distillation) -> Figures:
        sizes, codecs, stored, seconds = [], [], {}, 0.0
        for codec, seen, half in self.codecs(bits, groups):
            if settings.steps:
                last = seen[-FOR_TABLES:]  # of stage 2, as those that are measured
                fitted = Codes.concatenate([self._fitted(codec, name, settings) for name in last])
                codec = codec.with_tables_of(fitted, torch.cat([codec.gains(self.codes[name]) for name in last]))
            codecs.append(file_bytes(codec))
            for name in half:
                began = time.perf_counter()
                code = self._fitted(codec, name, settings)
                seconds += time.perf_counter() - began
                layers = codec.layers_of(code, codec.gains(self.codes[name]))
                sizes.append(len(layers[0][-1]))
                stored[name] = codec.decode(layers)
        count = len(self.measured)
        share = sum(codecs) / len(codecs)
        return Figures(sum(sizes) / count + share / count, share, self._mean_psnr(stored), seconds / count)

    def fitted_on(self, settings: Distillation) -> float:
        """PSNR of float16 planes that were fitted for as many steps more: what of a gain is quantisation's own."""
        books = SimpleNamespace(indices=lambda numbers, costs: numbers.detach(), features=lambda numbers: numbers)
        family = self.collection.shared_part.family.config
        gains = VqMicroCodec.gains
        free: Any = SimpleNamespace(codebooks=books, gains=lambda codes: gains(free, codes), layers=family.layers)
        settings = replace(settings, price=0.0)
        return self._mean_psnr({name: self._fitted(free, name, settings) for name in self.measured})

    def _fitted(self, codec: VqMicroCodec, name: str, settings: Distillation) -> Codes:
        if not settings.steps:
            return self.codes[name]
        record = self.record
        kept = record.settings
        item = load_object(self.views[name], tuple(record.size), seed=kept.seed, fraction=kept.held_out, hull=kept.hull)
        assert item.held_out == record.held_out[name]["views"]
        shared = self.collection.shared_part
        return distil(shared, codec, item, self.codes[name], kept.sampler.at(1.0), settings, seed=kept.seed)

    def _mean_psnr(self, codes: dict[str, Codes]) -> float:
        values = []
        for name in self.measured:
            views, box = self.views[name], torch.as_tensor(self.collection.entry(name).bounds)
            test = [views.names.index(view) for view in self.record.held_out[name]["views"]]
            figures = measure_codes(self.collection, codes[name], box, views, test, self.record.size, coarse=False)
            values.append(figures["psnr"])
        return sum(values) / len(values)

    def _layer_bytes(self, name: str) -> int:
        begin, end = self.collection.entry(name).ranges[-1]
        return end - begin


def file_bytes(codec: VqMicroCodec) -> int:
    """Of the codec's file, as a collection has it."""
    with tempfile.TemporaryDirectory() as folder:
        return write_part(
            Path(folder), "codec", codec.tensors(), {**codec.file_config(), "codec": codec.stored_as}
        ).bytes


def record_rows(bench: Bench, bits: tuple[int, ...], groups: int, settings: Distillation) -> list[Record]:
    figures = bench.measure(bits, groups, settings)
    nearest = bench.measure(bits, groups, replace(settings, steps=0))
    further = bench.fitted_on(settings)
    note = (
        f"{len(bench.measured)} objects of stage 2, two codecs that have not seen theirs; {groups} groups of "
        f"{'+'.join(map(str, bits))} bits, {settings.steps} steps an object, price {settings.price:g}, "
        f"{torch.get_num_threads()} threads"
    )
    against = f"{note}; float16: {bench.plain_bytes:.0f} B, {bench.plain_psnr:.3f} dB"
    values = (
        ("ratio", bench.plain_bytes / figures.bytes, "x", against),
        ("loss_db", bench.plain_psnr - figures.psnr, "dB", against),
        ("object_bytes", figures.bytes, "bytes", f"{note}; micro layer and the codec's file by the objects measured"),
        ("codec_bytes", figures.codec, "bytes", note),
        ("psnr", figures.psnr, "dB", note),
        ("float16.psnr", bench.plain_psnr, "dB", note),
        ("float16.fitted_on.psnr", further, "dB", f"{note}; float16 planes, fitted for as many steps more"),
        (
            "loss_to_fitted_on_db",
            further - figures.psnr,
            "dB",
            f"{note}; against float16 planes with as many steps more",
        ),
        ("nearest.ratio", bench.plain_bytes / nearest.bytes, "x", f"{note}; without the steps"),
        ("nearest.loss_db", bench.plain_psnr - nearest.psnr, "dB", f"{note}; without the steps"),
        ("seconds_per_object", figures.seconds, "s", f"{note}; reading views included"),
    )
    return [new_record(f"vehicles.vq.micro.{name}", value, unit, text) for name, value, unit, text in values]


def table_rows(bench: Bench, settings: Distillation) -> Iterator[Record]:
    """Every kind of codebooks at every width; bytes have all in them, as those of record."""
    features = bench.collection.shared_part.family.config.micro_features
    how = f"{settings.steps} steps an object" if settings.steps else "nearest entries"
    note = f"{len(bench.measured)} objects of stage 2, {how}; float16: {bench.plain_bytes:.0f} B"
    for kind in KINDS:
        for width in TABLE_BITS:
            groups = features // 2 if kind == "product" else 1
            figures = bench.measure((width, width) if kind == "residual" else (width,), groups, settings)
            values = (
                ("object_bytes", figures.bytes, "bytes"),
                ("psnr", figures.psnr, "dB"),
                ("loss_db", bench.plain_psnr - figures.psnr, "dB"),
            )
            for name, value, unit in values:
                yield new_record(f"vehicles.vq.micro.{kind}.bits_{width}.{name}", value, unit, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("record", "table"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--objects", type=int, help="fewer, to try it")
    parser.add_argument("--bits", type=int, nargs="+", default=list(BITS))
    parser.add_argument("--groups", type=int, help="one for every two features if not given")
    parser.add_argument("--steps", type=int, help=f"{STEPS} for the figures of record, 0 for the table if not given")
    parser.add_argument("--price", type=float, default=Distillation.price)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROWS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.work / "run-forty", arguments.objects)
    groups = arguments.groups or bench.collection.shared_part.family.config.micro_features // 2
    steps = arguments.steps if arguments.steps is not None else (STEPS if arguments.step == "record" else 0)
    settings = Distillation(steps=steps, price=arguments.price)
    rows: Iterator[Record] | list[Record]
    if arguments.step == "record":
        rows = record_rows(bench, tuple(arguments.bits), groups, settings)
    else:
        rows = table_rows(bench, settings)
    for row in rows:
        write_records(arguments.results, [row])
        print(f"{row.name:48} {row.value:10.3f} {row.unit:5} {row.note}", flush=True)


if __name__ == "__main__":
    main()
