"""The codecs that `rd` can sweep, one row each: what their knob is, and what makes one point of a curve."""

from collections.abc import Callable
from functools import partial

from manyfields.families.tensor_planes.baselines.coding import ReTensorSweep, VqKeptSweep, VqTensorSweep
from manyfields.families.tensor_planes.transform.coding import VARIANTS
from manyfields.runs.rd.pretrained import PretrainedSweep
from manyfields.runs.rd.pyramid import PyramidSweep
from manyfields.runs.rd.source import RdSource
from manyfields.runs.rd.sweep import Sweep
from manyfields.runs.rd.transform import TransformSweep

PRETRAINED = "transform-pretrained"

CODECS: dict[str, Callable[[RdSource, int | None, int], Sweep]] = {
    "pyramid": PyramidSweep,
    "transform": TransformSweep,
    **{f"transform-{name}": partial(TransformSweep, variants=(name,)) for name in VARIANTS},
    # Both, as the baselines fine-tune them.
    "transform-vectors-network": partial(TransformSweep, variants=("vectors", "network")),
    PRETRAINED: PretrainedSweep,
    "vq-tensorf": VqTensorSweep,
    "vq-tensorf-kept": VqKeptSweep,
    "re-tensorf": ReTensorSweep,
}
