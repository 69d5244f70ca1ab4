"""The codecs that `rd` can sweep, one row each: what their knob is, and what makes one point of a curve."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from manyfields.evaluation.scores import Scores
from manyfields.runs.rd_source import RdSource
from manyfields.runs.rd_tensor_files import ReTensorSweep, VqTensorSweep
from manyfields.runs.rd_transform import NoImportanceSweep, NoMaskSweep, TransformSweep
from manyfields.runs.trainer import Progress


class Sweep(Protocol):
    """One codec on the objects of one run. What does not depend on the knob is made once."""

    knob: ClassVar[str]
    """What the values of a sweep are."""
    values: ClassVar[tuple[float, ...]]
    """Those of a sweep that names none."""

    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        """`steps` of learning for a point and object; the codec's own number when None. Raises ConfigError."""
        ...

    def point(self, value: float, folder: Path, progress: Progress) -> tuple[float, Scores, Mapping[str, float]]:
        """Write the files of one point into `folder`, and measure what they decode to: means over objects.

        Bytes of an object, with its share of what objects share; scores; and bytes by what they are for, which sum to
        the first.
        """
        ...


CODECS: dict[str, type[Sweep]] = {
    "transform": TransformSweep,
    "transform-no-mask": NoMaskSweep,
    "transform-no-importance": NoImportanceSweep,
    "vq-tensorf": VqTensorSweep,
    "re-tensorf": ReTensorSweep,
}
