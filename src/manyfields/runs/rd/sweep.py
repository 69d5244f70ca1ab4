"""The points of a curve: a codec at one value of its knob, measured on files that are written and read back."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from manyfields._io import write_atomic
from manyfields.collection.shared_file import decoded_shared_part
from manyfields.collection.tensors import write_part
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.families.codec import Codec
from manyfields.fitting.progress import Progress
from manyfields.runs.codec_choice import settings_of
from manyfields.runs.originals import fitted_objects
from manyfields.runs.rd.codecs import curve_named
from manyfields.runs.rd.network import as_stored, stored_config
from manyfields.runs.rd.source import RdSource
from manyfields.shared_part import SharedPart


@dataclass(frozen=True)
class Point:
    """Of a curve: means over objects, of files that were written and read back."""

    parts: Mapping[str, float]
    """Bytes by what they are for; what objects share is divided by their number."""
    scores: Scores
    seconds: float
    """From views on disk to the file of an object: reading these, and what the codec learns of all objects divided by
    their number, count; measuring does not."""
    estimated: float | None = None
    """What the learned density says that `parts["latents"]` are."""

    @property
    def bytes(self) -> float:
        """Of an object, with its share of what objects share."""
        return sum(self.parts.values())


class Sweep:
    """One codec on the objects of one run. What does not depend on the knob is made once."""

    def __init__(self, source: RdSource, name: str, given: Mapping[str, Any], seed: int = 0) -> None:
        """`name`: of a codec, or of a curve that a codec adds; `given`: settings of it, but for its knob.

        Raises ConfigError for what the run's family does not have.
        """
        self.source, self.kind, self.seed = source, curve_named(source.collection, name), seed
        self.settings = settings_of(self.kind.codec, source.collection, {**self.kind.settings, **given})
        self.originals = source.originals(given.get("learn_from", ()))
        self._plan(self.kind.codec.values[0])  # what does not fit the run is refused before anything is written
        self.shared = source.collection.shared_part
        self.network = b""
        if self.kind.codec.network_in_8_bits:
            self.network, self.shared = as_stored(self.shared)

    def point(self, value: float, folder: Path, progress: Progress) -> Point:
        """Write the files of one point into `folder`, and measure what they decode to. Raises ConfigError."""
        began = time.monotonic()
        codec = self.codec_at(value, self._told(progress, "learning", value))
        learning = (time.monotonic() - began) / len(self.source.collection)
        common, shared = self._common(codec, folder)
        parts = {name: size / len(self.source.collection) for name, size in common.items()}
        scores: list[Scores] = []
        estimates: list[float] = []
        seconds = 0.0
        for number, name in enumerate(self.source.objects):
            told = self._told(progress, name, value)
            told("", number, len(self.source.objects))
            began = time.monotonic()
            codes, item = self.source.collection[name].code(), self.source.item(name)

            def note(_: str, what: str, make: Callable[[], Any]) -> None:
                if what == "estimated bytes":
                    estimates.append(make())

            objects = replace(fitted_objects(shared, [item], self.source.record), note=note)
            (layers,) = codec.encode(codes, objects, told)
            seconds += time.monotonic() - began
            _write(folder, name, layers)
            found, own = codec.decode([layers]), codec.shared_of(layers, shared)
            box = torch.as_tensor(self.source.collection.entry(name).bounds, dtype=torch.float32)
            scores.append(self.source.scores(name, own, found, box))
            for part, size in codec.part_sizes(layers).items():
                parts[part] = parts.get(part, 0.0) + size / len(self.source.objects)
        count = len(self.source.objects)
        estimated = sum(estimates) / count if estimates else None
        return Point(parts, mean_scores(scores), learning + seconds / count, estimated)

    def codec_at(self, value: float, progress: Progress) -> Codec[Any]:
        """The codec at one value of its knob, with all that it learns before the first object. Raises ConfigError."""
        return self.kind.codec.learn(self.originals, self._plan(value), progress)

    def _plan(self, value: float) -> dict[str, Any]:
        kind = self.kind.codec
        return kind.plan(kind.at(self.settings, value), self.originals, self.seed, _say_nothing)

    def _common(self, codec: Codec[Any], folder: Path) -> tuple[dict[str, int], SharedPart]:
        """Write what objects share into `folder`: its bytes by name, and the shared part that these decode to."""
        found, shared, counts = {}, self.shared, codec.counts
        if counts == "shared":
            collection = self.source.collection
            tensors, config = codec.shared_file(collection.shared(), collection.config)
            found["shared"] = write_part(folder, "shared", tensors, config).bytes
            shared = decoded_shared_part(tensors, config, folder)
        elif counts in ("network", "config"):
            data = self.network if counts == "network" else stored_config(shared)
            write_atomic(folder / counts, data)
            found[counts] = len(data)
        if codec.tensors():
            found["codec"] = write_part(folder, "codec", codec.tensors(), codec.file_config()).bytes
        if (encoder := codec.encoder_tensors()) is not None:  # which decoding does not need
            write_part(folder, "encoder", encoder, {})
        return found, shared

    def _told(self, progress: Progress, name: str, value: float) -> Progress:
        """Progress under one name, whatever a codec calls what it does."""

        def told(phase: str, done: int, total: int, **figures: float | int | str) -> None:
            progress(f"{name}: {self.kind.knob} {value:g}", done, total, **figures)

        return told


def _say_nothing(text: str) -> None:
    """Less than was asked for is seen in the curve."""


def _write(folder: Path, name: str, layers: Sequence[bytes]) -> None:
    """One file a layer, called by the four letters that it starts with, if it does."""
    for number, data in enumerate(layers):
        magic = data[:4].decode("ascii", "replace").lower()
        kind = (
            magic if len(layers) == 1 and len(magic) == 4 and magic.isalpha() and magic.isascii() else f"layer{number}"
        )
        write_atomic(folder / f"{name}.{kind}", data)
