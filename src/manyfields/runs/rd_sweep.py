"""What `rd` wants of a codec that it sweeps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from manyfields.evaluation.scores import Scores
from manyfields.runs.rd_source import RdSource
from manyfields.runs.trainer import Progress


class Sweep(ABC):
    """One codec on the objects of one run. What does not depend on the knob is made once."""

    knob: ClassVar[str]
    """What the values of a sweep are."""
    values: ClassVar[tuple[float, ...]]
    """Those of a sweep that names none."""

    @abstractmethod
    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        """`steps` of learning for a point and object; the codec's own number when None. Raises ConfigError."""

    @abstractmethod
    def point(self, value: float, folder: Path, progress: Progress) -> tuple[float, Scores, Mapping[str, float]]:
        """Write the files of one point into `folder`, and measure what they decode to: means over objects.

        Bytes of an object, with its share of what objects share; scores; and bytes by what they are for, which sum to
        the first.
        """
