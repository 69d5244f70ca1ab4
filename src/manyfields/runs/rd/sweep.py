"""What `rd` wants of a codec that it sweeps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from manyfields.evaluation.scores import Scores
from manyfields.fitting.progress import Progress
from manyfields.runs.rd.source import RdSource


@dataclass(frozen=True)
class Point:
    """Of a curve: means over objects, of files that were written and read back."""

    parts: Mapping[str, float]
    """Bytes by what they are for; what objects share is divided by their number."""
    scores: Scores
    seconds: float
    """From an object with its views to its file; reading these and measuring are not counted."""
    estimated: float | None = None
    """What the learned density says that `parts["latents"]` are."""

    @property
    def bytes(self) -> float:
        """Of an object, with its share of what objects share."""
        return sum(self.parts.values())


class Sweep(ABC):
    """One codec on the objects of one run. What does not depend on the knob is made once."""

    knob: ClassVar[str]
    """What the values of a sweep are."""
    values: ClassVar[tuple[float, ...]]
    """Those of a sweep that names none."""

    @abstractmethod
    def __init__(self, source: RdSource, steps: int | None, seed: int) -> None:
        """`steps` of learning for a point and object; the codec's own number when None. Raises ConfigError."""

    def made_of(self) -> Mapping[str, Any]:
        """What a curve is made of besides codec, steps and seed (JSON): points of other things do not belong to it."""
        return {}

    @abstractmethod
    def point(self, value: float, folder: Path, progress: Progress) -> Point:
        """Write the files of one point into `folder`, and measure what they decode to."""
