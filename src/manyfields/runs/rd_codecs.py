"""The codecs that `rd` can sweep, one row each: what their knob is, and what makes one point of a curve."""

from manyfields.runs.rd_sweep import Sweep
from manyfields.runs.rd_tensor_files import ReTensorSweep, VqTensorSweep
from manyfields.runs.rd_transform import NoImportanceSweep, NoMaskSweep, TransformSweep

CODECS: dict[str, type[Sweep]] = {
    "transform": TransformSweep,
    "transform-no-mask": NoMaskSweep,
    "transform-no-importance": NoImportanceSweep,
    "vq-tensorf": VqTensorSweep,
    "re-tensorf": ReTensorSweep,
}
