"""What the rest of the house asks of a family of fields, beside its network: one row of `registry.FAMILIES`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from jaxtyping import UInt8

from manyfields.cameras import Cameras
from manyfields.families.codec import Codec
from manyfields.families.parts import ObjectParts
from manyfields.families.stream_form import StreamForm
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress
from manyfields.fitting.settings import FitSettings
from manyfields.shared_part import SharedPart


class NewShared(Protocol):
    """Makes an untrained shared part for the objects that it will learn from."""

    def __call__(self, settings: Any, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart: ...


class NewFitter(Protocol):
    """Makes a `fitting.fitters.StageFitter`, which fits the objects of `data`, with new codes, to a shared part.

    `average`: codes start as those of the average object, for a shared part that has learned; else at random, or where
    the settings put them. Families whose objects share a network alone heed it not. `progress` is told of work that is
    done before the first step.
    """

    def __call__(self, settings: Any, shared: SharedPart, data: Any, average: bool, progress: Progress) -> Any: ...


Seen = Callable[[Any, Cameras], UInt8[np.ndarray, "V H W 3"]]
"""Pictures of the codes of one object (B = 1) through cameras (V,)."""


def _rendered(network: Any) -> Seen | None:
    return None


@dataclass(frozen=True)
class Family:
    """A family of fields: its classes, and how shared parts and fitters are made from the settings of a run."""

    name: str
    """As it is stored."""
    config: type[Any]
    """Sizes, stored in the shared file: a dataclass that is a `fields.FamilyConfig`."""
    network: type[Any]
    """Made of a config: a module that is a `fields.FamilyNetwork`."""
    settings: type[FitSettings]
    """Of fits: what all families heed, and the family's own."""
    presets: Mapping[str, FitSettings]
    """Settings by name; the first of each kind of settings has the name of what it fits (`FitSettings.family`)."""
    shares: Literal["set", "network"]
    """What objects share: all they can, learned in a stage of its own, against which codes are fitted then (set); or
    a small network alone, beside which each has a field of its own, and there is one stage (network)."""
    new_shared: NewShared
    fitter: NewFitter
    codecs: tuple[type[Codec[Any]], ...]
    """The first stores float16 and learns nothing; of the others, the first that suits a run is what `compress` takes
    where none is named."""
    parts: Callable[[SharedPart, int | None], ObjectParts]
    """How priors take the codes of a shared part apart, with that many layers (all when None). Raises ConfigError for
    families whose objects have codes of different shapes, and for a level that shows nothing."""
    pictures: Callable[[Any], Seen | None] = _rendered
    """How objects of a network are shown that have no views, such as images; None where fields are rendered."""
    stream: StreamForm | None = None
    """How an object is written as a file of its own; None where the family has no such files."""
