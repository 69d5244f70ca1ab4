"""Features of the octrees of a run as indices into codebooks: each level of each object has a codebook of its own."""

from collections.abc import Sequence
from typing import Any

from manyfields.collection import Collection
from manyfields.errors import ConfigError, RunError
from manyfields.families.octree.codebooks.indices import IndexOptions
from manyfields.families.octree.codes import OctreeCodes
from manyfields.runs.compression_waves import Waves
from manyfields.runs.storing import quantised


class OctreeWaves(Waves):
    """The shared part, its network with it, stays as it is."""

    def layers_of(self, ids: Sequence[str]) -> list[list[bytes]]:
        codes = [code for code in self.codes_of(ids) if isinstance(code, OctreeCodes)]
        items = self.items(ids) if self.shape["steps"] else None
        made = quantised(self.source, items, codes, self.shape, self.record, self.progress)
        if self.target is None:
            self.target = self.publish()
        return self.target.codec.encode(made)


def octree_shape(source: Collection, bits: Sequence[int], groups: int | None, steps: int, seed: int) -> dict[str, Any]:
    """What the new collection's properties say of its making. Raises RunError, ConfigError."""
    if not isinstance(source[source.ids[0]].code(), OctreeCodes):
        raise RunError(f"{source.path}: its objects have indices already, which their fit has learned")
    if len(bits) != 1 or groups is not None:
        raise ConfigError(f"{source.path}: octrees have one codebook a level: one number of bits, and no groups")
    return {"bits": IndexOptions(bits[0]).bits, "seed": seed, "steps": steps}
