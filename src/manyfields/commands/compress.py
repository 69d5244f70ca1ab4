"""`manyfields compress`: a run in fewer bytes, as a new collection."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from manyfields._checks import NATURAL, Bounds
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
from manyfields.commands._progress import progress, to_stderr

Variant = Literal["no-mask", "no-importance", "gaussian", "encoder", "hyperprior", "vectors", "network", "end-to-end"]


@dataclass(frozen=True)
class Compress(Command):
    """Write a run's objects to a new collection in fewer bytes."""

    folder: RunFolder
    """Run folder that `manyfields fit` made, or any collection."""
    out: OutFolder
    """Folder for the new collection; the run stays as it is."""
    codec: Literal["vq", "transform", "pyramid"] | None = None
    """transform: fused planes by latents, with one decoder and one set of tables for all objects; or tensor planes and
    basis grids (families tensorf, factor-fields), with a decoder and tables of each scene. vq: micro planes,
    or features of octrees, by learned codebooks. pyramid: tensor planes in steps that suit what training views are
    sensitive to; nothing learns, so it takes seconds. If not given: vq for octrees, for fields in a latent space and
    where views are gone, pyramid for tensor planes, else transform."""
    bits: Annotated[tuple[int, ...], Bounds(least=1, most=16)] = (6,)
    """vq: bits of an index; several: codebooks one after the other, each for what the ones before left."""
    groups: OptionalCount = None
    """vq: parts of the features with codebooks of their own; one for every two features if not given."""
    size: Literal["S", "H", "L"] = "S"
    """transform of tensor planes: channels of latents and of the decoder's hidden layer: 64 and 48, for CPUs, or the
    paper's H (192 and 96) and L (384 and 192)."""
    price: Annotated[float | None, tyro.conf.arg(name="lambda", metavar="FLOAT"), NATURAL] = None
    """transform; more: smaller and worse. Fused planes: what a thousand bytes are worth, as a share of the error that
    an object has uncompressed (0.08 if not given). Tensor planes: what a bit for each number of the planes is worth
    in squared error (0.001). pyramid: the step of latents (0.012)."""
    variants: tuple[Variant, ...] = ()
    """transform of tensor planes: what the paper compares with: all latents coded (no-mask), errors of planes that
    count alike everywhere (no-importance), latents that start at noise (gaussian), that an encoder makes, or that are
    coded by widths which hyper-latents tell (hyperprior); vectors, or the network, that go on learning beside latents;
    a single stage in which all of that starts anew (end-to-end). A network that learns is stored with each scene."""
    learn_from: tuple[Path, ...] = ()
    """transform: runs of other scenes, from whose planes one codec for all scenes is learned, or a collection that
    holds such a codec; scenes then take one pass of its encoder, and --steps in which their latents learn (0)."""
    learn_steps: OptionalCount = None
    """transform: steps in which that codec is learned; 1000 (S) or 30000 if not given."""
    steps: OptionalSteps = None
    """vq: steps in which each object's indices are fitted to its training views (300; 0: nearest entries, no views
    needed). transform: steps of each object's latents; 400 for fused planes, 1000 (size S) or the paper's 30000 for
    tensor planes if not given."""
    data: MovedViews = ()
    """Where the views are now, if they have moved since the fit; of several folders, in the order they were given."""
    seed: Seed = 0
    """Of what is learned."""
    threads: Threads = None
    """CPU threads; one per core that this process may use, if not given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields.collection import open_collection
        from manyfields.commands._run_folder import open_run
        from manyfields.cores import use_threads
        from manyfields.evaluation.units import format_bytes
        from manyfields.families.factor_fields.transform.codec import FactorTransformCodec
        from manyfields.families.tensor_planes.pyramid.codec import PyramidCodec
        from manyfields.families.tensor_planes.transform.codec import TransformCodec

        if self.threads is not None:
            use_threads(self.threads)
        before = open_run(self.folder).sizes()
        with progress("compress") as report:
            runs.compress(
                self.folder,
                self.out,
                codec=self.codec,
                bits=self.bits,
                groups=self.groups,
                size=self.size,
                price=self.price,
                variants=self.variants,
                data=self.data,
                learn_from=self.learn_from,
                learn_steps=self.learn_steps,
                steps=self.steps,
                seed=self.seed,
                progress=report,
                say=to_stderr,
            )
        made = open_collection(self.out)
        after = made.sizes()
        sizes = [format_bytes(each["per_object"]["layers"] + each["per_object"]["codec"]) for each in (before, after)]
        print(f"{self.out}: {after['objects']:,} objects, {sizes[1]} each with the codec's share, before {sizes[0]}")
        if isinstance(made.codec, TransformCodec | FactorTransformCodec | PyramidCodec):
            from manyfields.families.tensor_planes.transform.coding import size_breakdown

            parts = size_breakdown(made).items()
            print("bytes of a scene: " + ", ".join(f"{part} {format_bytes(size)}" for part, size in parts))
        return 0

    def resume_hint(self) -> str:
        words = ["manyfields", "compress", str(self.folder), str(self.out)]
        return f"{shlex.join(words)} with the same flags (objects already stored are skipped)"
