"""Features of octrees as indices into codebooks, one for each level of each object: their codec `vq`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import torch
from torch import Tensor

from manyfields._checks import NATURAL, Bounds, check_annotated
from manyfields.errors import RunError
from manyfields.families.codec import Fitted, Originals, Say, StoredCodec, whole
from manyfields.families.octree.codebooks.indices import IndexOptions, quantise_levels, stored_indices
from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.octree.settings import octrees
from manyfields.families.octree.stream.codec import OctreeCodec
from manyfields.fitting.data import FittingData
from manyfields.fitting.progress import Progress, silent
from manyfields.shared_part import SharedPart


@dataclass(frozen=True)
class IndexSettings:
    """Features of octrees by a codebook of each level of each object."""

    bits: Annotated[int, Bounds(least=1, most=16)] = 6
    """Of an index."""
    steps: Annotated[int, NATURAL] = 300
    """In which each object's indices are fitted to its training views; 0: nearest entries, no views needed."""

    def __post_init__(self) -> None:
        check_annotated(self)


class OctreeVqCodec(OctreeCodec):
    """The shared part, its network with it, stays as it is; `OctreeCodec` reads what this writes."""

    name: ClassVar[str] = "vq"
    settings: ClassVar[type[Any]] = IndexSettings
    knob: ClassVar[str] = "bits"
    values: ClassVar[tuple[float, ...]] = (2, 4, 6, 8)
    without_views: ClassVar[str] = ", or compress with steps 0, which needs none"

    @classmethod
    def at(cls, settings: Any, value: float) -> Any:
        return replace(settings, bits=whole(value, "bits"))

    @classmethod
    def plan(
        cls, settings: IndexSettings, originals: Originals[OctreeCodes | QuantisedOctreeCodes], seed: int, say: Say
    ) -> dict[str, Any]:
        if not isinstance(originals.codes(originals.ids[:1])[0], OctreeCodes):
            raise RunError(f"{originals.path}: its objects have indices already, which their fit has learned")
        steps = settings.steps
        if steps and not originals.with_views:
            say("no fitting to views: their folder is not at hand, or the collection is not in a run folder")
            steps = 0
        return {"bits": IndexOptions(settings.bits).bits, "seed": seed, "steps": steps}

    @classmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        codec = cls(config)
        codec.made = stored.plan
        return codec

    @property
    def looks_at_views(self) -> bool:
        return self.made.get("steps", 0) > 0

    def encode(
        self,
        codes: OctreeCodes | QuantisedOctreeCodes,
        objects: Fitted | None = None,
        progress: Progress = silent,
    ) -> list[list[bytes]]:
        """Per object its layers; of features with indices in their place, fitted to the views of `objects`.

        Without steps each corner has the nearest entry of its codebook.
        """
        if isinstance(codes, OctreeCodes):
            made = []
            for row in range(len(codes)):
                made.append(self._quantised(codes[row], objects, row))
                progress("fitting indices", row + 1, len(codes))
            codes = QuantisedOctreeCodes.concatenate(made)
        return super().encode(codes)

    def describe(self) -> str:
        steps = self.made["steps"]
        how = f"fitted to views in {steps} steps" if steps else "the nearest entries"
        books = f"a codebook of {self.made['bits']} bits for each level of each object"
        return f"Features of octrees are stored by {books}; indices: {how}."

    def _quantised(self, code: OctreeCodes, objects: Fitted | None, row: int) -> QuantisedOctreeCodes:
        options, learner = IndexOptions(self.made["bits"]), OctreeCode.of_codes(code)
        if objects is None or not self.looks_at_views:
            quantise_levels(learner, 1.0, options, torch.Generator().manual_seed)
            return stored_indices(learner)
        shared, data = SharedPart(objects.shared.family, None), FittingData([replace(objects.objects[row])])
        fitter = OctreeFitter(shared, data, [learner], objects.sampler, self.made["seed"], options)
        rays, steps = objects.phase.rays_per_object, self.made["steps"]
        phase = replace(octrees(indices=True, fields_rate=0.0)[1], steps=steps, rays_per_object=rays)
        fitter.begin(phase)
        fitter.run(phase)
        return stored_indices(fitter.codes[0])
