"""A codec of one's own: the numbers of fused planes in few bits, deflated. No file of the package changes.

    python examples/new_codec.py RUN OUT

RUN is a finished run of fused planes (`manyfields fit DATA --out RUN`). The codec joins its family's row, the run is
compressed by it, an object is rendered from its new bytes, and a curve shows what each number of bits costs in quality.
"""

import argparse
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

import manyfields
from manyfields._checks import Bounds, check_annotated
from manyfields.cameras import orbit
from manyfields.errors import CollectionError
from manyfields.families.codec import Codec, Fitted, StoredCodec, whole
from manyfields.families.registry import FAMILIES, register
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress, silent
from manyfields.runs import rd


@dataclass(frozen=True)
class FewBits:
    """Numbers of a code in few bits. These members are the flags of `compress --codec few-bits`."""

    bits: Annotated[int, Bounds(least=2, most=8)] = 6
    """Of a number."""

    def __post_init__(self) -> None:
        check_annotated(self)


class FewBitsCodec(Codec[Codes]):
    """Each layer: | largest number: a float32 | whole numbers, deflated |, in the order of the layer's tensors."""

    name: ClassVar[str] = "few-bits"
    settings: ClassVar[type[Any]] = FewBits
    knob: ClassVar[str] = "bits"
    values: ClassVar[tuple[float, ...]] = (3, 4, 5, 6, 8)
    network_in_8_bits: ClassVar[bool] = False
    counts = "shared"  # what objects of a set share is a file that all are charged for

    def __init__(self, config: Any, made: Mapping[str, Any]) -> None:
        self.layers, self.shapes, self.made = config.layers, config.code_shapes(), made
        self.most = (1 << made[self.name]["bits"] - 1) - 1  # numbers from -most to most

    @classmethod
    def at(cls, settings: Any, value: float) -> Any:
        return replace(settings, bits=whole(value, "bits"))

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        return cls(config, stored.plan)  # nothing is learned: its plan says all

    def encode(self, codes: Codes, objects: Fitted | None = None, progress: Progress = silent) -> list[list[bytes]]:
        return [[self._encoded(codes[row], names) for names in self.layers] for row in range(len(codes))]

    def decode(self, objects: Sequence[Sequence[bytes]]) -> Codes:
        return Codes.concatenate([self._decoded(layers) for layers in objects])

    def part_sizes(self, layers: Sequence[bytes]) -> dict[str, int]:
        return {" and ".join(names): len(layer) for names, layer in zip(self.layers, layers, strict=False)}

    def describe(self) -> str:
        return f"Numbers are stored in {self.made[self.name]['bits']} bits, deflated."

    def _encoded(self, code: Codes, names: Sequence[str]) -> bytes:
        numbers = torch.cat([code.tensors[name].detach().cpu().float().flatten() for name in names]).numpy()
        largest = float(np.abs(numbers).max())
        if not np.isfinite(largest):
            raise CollectionError(f"a code holds numbers that are not finite in {', '.join(names)}")
        wholes = np.round(numbers * (self.most / max(largest, 1e-20))).astype(np.int8)
        return struct.pack("<f", largest) + zlib.compress(wholes.tobytes(), 9)

    def _decoded(self, layers: Sequence[bytes]) -> Codes:
        # A layer that is not there: zeros, and a hull that leaves nothing out.
        tensors = {
            name: torch.ones(1, *shape, dtype=torch.uint8) if name == "hull" else torch.zeros(1, *shape)
            for name, shape in self.shapes.items()
        }
        for names, layer in zip(self.layers, layers, strict=False):
            counts = [int(np.prod(self.shapes[name])) for name in names]
            try:
                (largest,) = struct.unpack_from("<f", layer)
                wholes = np.frombuffer(zlib.decompressobj().decompress(layer[4:], sum(counts)), np.int8)
                parts = np.split(wholes.reshape(sum(counts)) * np.float32(largest / self.most), np.cumsum(counts)[:-1])
            except (struct.error, zlib.error, ValueError) as error:
                raise CollectionError(f"the layer of {', '.join(names)} is damaged ({error})") from error
            for name, part in zip(names, parts, strict=True):
                made = torch.from_numpy(part.copy()).view(1, *self.shapes[name])
                tensors[name] = made.round().to(torch.uint8) if name == "hull" else made
        return Codes(tensors)


def main(run: Path, out: Path, bits: int = 6, values: Sequence[float] = ()) -> dict[str, Any]:
    """Compress a run into OUT/collection, and measure a curve in OUT/rd."""
    row = FAMILIES["fused-planes"]
    if FewBitsCodec not in row.codecs:
        register(replace(row, codecs=(*row.codecs, FewBitsCodec)))
    before = manyfields.open_collection(run).sizes()["per_object"]["layers"]
    made = manyfields.compress(run, out / "collection", codec="few-bits", bits=bits)
    print(f"{bits} bits: {made.sizes()['per_object']['layers']:,.0f} bytes an object, before {before:,.0f}")
    images = made[made.ids[0]].render(orbit(1, width=64, height=64)).images
    print(f"{made.ids[0]} renders from them: {tuple(images.shape)}, mean {float(images.mean()):.3f}")
    kept = rd(run, out / "rd", codec="few-bits", values=values)
    for point in kept["curves"]["few-bits"]["points"]:
        print(f"{point['value']:g} bits: {point['bytes']:,.0f} bytes with all that is shared, {point['psnr']:.2f} dB")
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(given.run, given.out)
