"""`manyfields rd`: rate-distortion curves of codecs on a run, and Bjontegaard deltas between them."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from manyfields._checks import NATURAL
from manyfields.commands._command import (
    Command,
    MovedViews,
    OptionalCount,
    OptionalSteps,
    OutFolder,
    RunFolder,
    Seed,
    Threads,
)
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table

OptionalLabel = Annotated[str | None, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class Rd(Command):
    """Measure a codec at several values of its knob: PSNR of held-out views against bytes, from files.

    Each call adds a curve, or points to it, to what the folder holds already, and prints all of it: rd.json,
    report.html, and BD-rate and BD-PSNR between any two curves.
    """

    folder: RunFolder
    """Run folder that `manyfields fit` made."""
    out: OutFolder
    """Folder for the curves, and the files of their points."""
    codec: str = "vq-tensorf"
    """vq-tensorf: planes pruned by importance and vector-quantised (the knob: bits of a codebook). re-tensorf: planes
    pruned by removing and re-including texels (the knob: share of texels left). pyramid: latents in steps that suit
    what pictures are sensitive to, in seconds (the knob: the step). transform: latents, an entropy model
    and a decoder of each scene (the knob: lambda); transform-VARIANT: the same with a variant of `compress`, such as
    transform-no-mask; transform-vectors-network: with both that go on learning, as those of the others do;
    transform-pretrained: by a codec that is learned from other scenes."""
    values: Annotated[tuple[float, ...], NATURAL] = ()
    """Values of the codec's knob, one for each point; a sweep of its own if not given."""
    label: OptionalLabel = None
    """Name of the curve; that of the codec if not given."""
    objects: tuple[str, ...] = ()
    """Objects to take; all of them if not given."""
    learn_from: tuple[Path, ...] = ()
    """transform-pretrained: runs of other scenes, from whose planes a codec is learned at each point."""
    learn_steps: OptionalCount = None
    """transform-pretrained: steps of that; 1000 if not given."""
    steps: OptionalSteps = None
    """Steps of learning for each point and object; the codec's own number if not given."""
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

    def run(self) -> int:
        from manyfields import runs
        from manyfields.cores import use_threads
        from manyfields.evaluation.units import format_bytes
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
                learn_from=self.learn_from,
                learn_steps=self.learn_steps,
                steps=self.steps,
                views=self.views,
                data=self.data,
                seed=self.seed,
                method=self.method,
                progress=report,
            )
        whole = kept["uncompressed"]
        rows = [["uncompressed", None, format_bytes(whole["bytes"]), 1.0, whole["psnr"], 0.0, whole["ssim"], None]]
        for name, curve in kept["curves"].items():
            for point in curve["points"]:
                loss, ratio = whole["psnr"] - point["psnr"], whole["bytes"] / point["bytes"]
                size = format_bytes(point["bytes"])
                rows.append([name, point["value"], size, ratio, point["psnr"], loss, point["ssim"], point["seconds"]])
        print_table(["curve", "value", "bytes", "times smaller", "psnr", "loss", "ssim", "seconds"], rows)
        for row in kept["deltas"]:
            print(delta_line(row))
        return 0

    def resume_hint(self) -> str:
        return f"run the same command again: {shlex.join(['manyfields', 'rd', str(self.folder), str(self.out)])} ..."
