"""`manyfields rd`: rate-distortion curves of codecs on a run, and Bjontegaard deltas between them."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from manyfields._checks import NATURAL
from manyfields.commands._codec_flags import Choice, given, with_codec
from manyfields.commands._command import (
    Command,
    MovedViews,
    OptionalCount,
    OptionalName,
    OutFolder,
    RunFolder,
    Seed,
    Threads,
)
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table


@dataclass(frozen=True)
class Rd(Command):
    """Measure a codec at several values of its knob: PSNR of held-out views against bytes, from files.

    Each call adds a curve, or points to it, to what the folder holds already, and prints all of it: rd.json,
    report.html, and BD-rate and BD-PSNR between any two curves with their overlap.
    """

    folder: RunFolder
    """Run folder that `manyfields fit` made."""
    out: OutFolder
    """Folder for the curves, and the files of their points."""
    codec: Annotated[str, tyro.conf.arg(metavar="NAME")] = "vq-tensorf"
    """A codec of the run's family, whose knob is varied: transform (lambda), pyramid (the step), vq (bits). What it can
    be told besides is listed by `manyfields rd --codec NAME --help`. transform-VARIANT: with a variant of `compress`,
    such as transform-no-mask; transform-vectors-network: with both that go on learning. Of tensor planes alone:
    transform-pretrained, learned from other scenes; vq-tensorf, planes pruned by importance and vector-quantised (bits
    of a codebook; vq-tensorf-kept: share of importance kept); re-tensorf, planes pruned by removing and re-including
    texels (share of texels left)."""
    values: Annotated[tuple[float, ...], NATURAL] = ()
    """Values of the codec's knob, one for each point; a sweep of its own if not given."""
    label: OptionalName = None
    """Name of the curve; that of the codec if not given."""
    objects: tuple[str, ...] = ()
    """Objects to take; all of them if not given."""
    views: OptionalCount = None
    """Held-out views of each object to measure on, evenly spread; all of them if not given."""
    data: MovedViews = ()
    """Where the views are now, if they have moved since the fit; of several folders, in the order they were given."""
    method: Literal["cubic", "pchip", "akima"] = "cubic"
    """How deltas interpolate curves: VCEG-M33's cubic, or piecewise."""
    seed: Seed = 0
    """Of the points of this curve."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    @classmethod
    def of_words(cls, words: Sequence[str]) -> type[Command]:
        """With the settings of the codec that they name."""
        return with_codec(cls, words, choices, cls.codec)

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads
        from manyfields.evaluation.units import shared_by
        from manyfields.runs.rd.report import delta_line

        if self.threads is not None:
            use_threads(self.threads)
        with progress("rd") as report:
            kept = runs.rd(
                self.folder,
                self.out,
                codec=self.codec,
                values=self.values,
                label=self.label,
                objects=self.objects,
                views=self.views,
                data=self.data,
                seed=self.seed,
                method=self.method,
                progress=report,
                **given(self),
            )
        whole = kept["uncompressed"]
        rows = [_row("uncompressed", None, whole, whole)]
        for name, curve in kept["curves"].items():
            rows += [_row(name, point["value"], point, whole) for point in curve["points"]]
        size = f"bytes an object, {shared_by(kept['shared_by'])}"
        quality = ["psnr", "foreground", "loss", "foreground loss", "ssim"]
        print_table(["curve", "value", size, "times smaller", *quality, "seconds"], rows)
        for row in kept["deltas"]:
            print(delta_line(row))
        return 0

    def resume_hint(self) -> str:
        return f"run the same command again: {shlex.join(['manyfields', 'rd', str(self.folder), str(self.out)])} ..."


def _row(name: str, value: float | None, point: dict[str, Any], whole: dict[str, Any]) -> list[Any]:
    """Of the table: one point of a curve beside what is not compressed."""
    from manyfields.evaluation.units import format_bytes

    size, ratio = format_bytes(point["bytes"]), whole["bytes"] / point["bytes"]
    qualities = ("psnr", "foreground_psnr")
    losses = [None if point[each] is None else whole[each] - point[each] for each in qualities]
    quality = [*(point[each] for each in qualities), *losses, point["ssim"]]
    return [name, value, size, ratio, *quality, point.get("seconds")]


def choices() -> list[Choice]:
    """The curves that a run may have, family by family."""
    from manyfields.families.registry import FAMILIES
    from manyfields.runs.rd.codecs import curve_kinds

    rows = [(row.name, name, kind) for row in FAMILIES.values() for name, kind in curve_kinds(row.codecs).items()]
    return [Choice(family, name, kind.codec.settings) for family, name, kind in rows]
