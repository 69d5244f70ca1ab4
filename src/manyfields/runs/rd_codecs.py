"""The codecs that `rd` can sweep, one row each: what their knob is, and what makes one point of a curve."""

from collections.abc import Callable
from functools import partial

from manyfields.runs.compress_transform import VARIANTS
from manyfields.runs.rd_pretrained import PretrainedSweep
from manyfields.runs.rd_pyramid import PyramidSweep
from manyfields.runs.rd_source import RdSource
from manyfields.runs.rd_sweep import Sweep
from manyfields.runs.rd_tensor_files import ReTensorSweep, VqKeptSweep, VqTensorSweep
from manyfields.runs.rd_transform import TransformSweep

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
