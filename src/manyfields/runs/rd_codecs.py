"""The codecs that `rd` can sweep, one row each: what their knob is, and what makes one point of a curve."""

from manyfields.runs.rd_sweep import Sweep
from manyfields.runs.rd_tensor_files import ReTensorSweep, VqTensorSweep

CODECS: dict[str, type[Sweep]] = {"vq-tensorf": VqTensorSweep, "re-tensorf": ReTensorSweep}
