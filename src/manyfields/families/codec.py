"""What a codec is: codes of one family to layers of bytes and back, and whatever it learns for that.

    settings ──► plan ──► learn ──► file of the codec ──► open ──► encode, wave after wave
                                                            └────► decode

`compress`, `add`, collections and rate-distortion curves ask a codec for all they need of it. The first codec of a
family stores float16 and learns nothing; others say in `settings` what one may choose.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from torch import Tensor

from manyfields.errors import ConfigError
from manyfields.fitting.data import FittingObject
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress, silent
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

Layers = Sequence[bytes]
"""The bytes of one object, coarse first: any first few of them are an object."""

C = TypeVar("C")
"""Codes of the family."""

Say = Callable[[str], None]


def _not_noted(name: str, what: str, make: Callable[[], Any]) -> None:
    """A `note` for who keeps nothing."""


@dataclass(frozen=True)
class Fitted:
    """Some objects with the training views that they were fitted to, and how their fit looked at these."""

    objects: Sequence[FittingObject]
    shared: SharedPart
    sampler: Sampler
    """Of the fit; `sampler.at(1.0)` is that of its end."""
    phase: Phase
    """The first of the fit: its rays, steps and rates."""
    seed: int = 0
    """Of the fit."""
    half: bool = False
    """Whether the fit multiplied in bf16."""
    note: Callable[[str, str, Callable[[], Any]], None] = _not_noted
    """Told by (object, what, how to make it) of what its bytes do not have: pictures of what was important (grey,
    uint8), or what sizes were estimated to be. Who wants it makes it."""

    def __len__(self) -> int:
        return len(self.objects)

    def within(self, shared: SharedPart) -> "Fitted":
        """The same with another shared part, such as the one that a new collection holds."""
        return replace(self, shared=shared)


class Originals(Protocol[C]):
    """The objects of a run, as a codec finds them."""

    @property
    def path(self) -> Path:
        """Where they are, for what errors say."""
        ...

    @property
    def shared(self) -> SharedPart: ...
    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def with_views(self) -> bool:
        """Whether the views that they were fitted to are at hand."""
        ...

    @property
    def codec(self) -> "Codec[C]":
        """What they are stored by."""
        ...

    @property
    def shared_hash(self) -> str: ...
    @property
    def others(self) -> "Sequence[Originals[C]]":
        """Objects of other runs, which settings named in `learn_from`."""
        ...

    def codes(self, ids: Sequence[str]) -> list[C]:
        """Codes of some of them, one by one (each B = 1)."""
        ...

    def fitted(self, ids: Sequence[str]) -> Fitted:
        """Some of them with their views. Raises ViewError where these are gone or others."""
        ...


@dataclass(frozen=True)
class StoredCodec:
    """What a collection holds of its codec beside tensors."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """JSON of the codec's file; empty where there is none."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What the collection's properties say of its making; empty for what is not compressed."""
    encoder: Callable[[], Mapping[str, Tensor] | None] = lambda: None
    """Tensors that new objects need, and decoding does not; None where they are not at hand."""


@dataclass(frozen=True)
class PartTable:
    """What the parts of stored objects take, to be printed."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str | None = None
    note: str = ""
    """A sentence below it."""


@dataclass(frozen=True)
class NoSettings:
    """Of a codec that has none."""


class Codec(ABC, Generic[C]):
    """Codes of one family to layers of bytes, and back.

    A new codec has a `name`, says how it is opened, encodes and decodes; all else has a plain default.
    """

    name: ClassVar[str]
    """What `--codec` calls it."""
    stored_as: ClassVar[str | None] = ""
    """What the codec's file calls it: its name where this is empty. None: it has no file, and its layers are such as
    the first codec of the family reads."""
    settings: ClassVar[type[Any]] = NoSettings
    """A dataclass of what one may choose: the flags of `compress --codec NAME`."""
    knob: ClassVar[str] = ""
    """The setting that a rate-distortion curve varies; empty: no curves."""
    knob_name: ClassVar[str] = ""
    """What curves call it: its name where this is empty."""
    values: ClassVar[tuple[float, ...]] = ()
    """Those of the knob that a curve has if none are named."""
    curves: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """More curves of this codec by name, and the settings that each stands for."""
    curve_settings: ClassVar[Mapping[str, Any]] = {}
    """Settings that all of its curves have."""
    collections: ClassVar[bool] = True
    """Whether collections are stored by it; else it is measured by curves alone, as other systems are."""
    one_by_one: ClassVar[bool] = False
    """Objects are stored each for itself, because one takes minutes."""
    without_views: ClassVar[str] = ""
    """What an error may add that says that views are not at hand."""
    learns_from_first_wave: ClassVar[bool] = False
    """Whether it learns more from the first objects that it encodes, and is stored after them."""
    network_in_8_bits: ClassVar[bool] = True
    """Whether curves code objects against the run's network as they count it, in 8 bits; else as the run has it."""
    made: Mapping[str, Any] = MappingProxyType({})
    """Its plan: how it was made."""

    @classmethod
    def suits(cls, originals: Originals[C]) -> bool:
        """Whether it is what to take where no other codec is named, and none before it in the family's row suits."""
        return True

    @classmethod
    def at(cls, settings: Any, value: float) -> Any:
        """Settings with the knob at a value. Raises ConfigError for a value without meaning."""
        return replace(settings, **{cls.knob: value})

    @classmethod
    def plan(cls, settings: Any, originals: Originals[C], seed: int, say: Say) -> dict[str, Any]:
        """What the new collection's properties say of its making (JSON), from which `learn` and `encode` know all.

        `say` is told where less can be done than was asked for. Raises ConfigError for what does not fit the run.
        """
        return {"seed": seed, "steps": 0, cls.name: asdict(settings)}

    @classmethod
    def learn(cls, originals: Originals[C], plan: Mapping[str, Any], progress: Progress = silent) -> Self:
        """The codec, with all that it learns before the first object is encoded."""
        return cls.open(originals.shared.family.config, {}, StoredCodec(plan=plan))

    @classmethod
    @abstractmethod
    def open(cls, config: Any, tensors: Mapping[str, Tensor], stored: StoredCodec) -> Self:
        """The codec that a collection holds. `config`: that of the family.

        Raises CollectionError or ValueError where these do not fit together.
        """

    @abstractmethod
    def encode(self, codes: C, objects: Fitted | None = None, progress: Progress = silent) -> list[list[bytes]]:
        """Per object of `codes` (B) its layers, fitted to the views of `objects` where the codec does so.

        Raises CollectionError for what is no number.
        """

    @abstractmethod
    def decode(self, objects: Sequence[Layers]) -> C:
        """Codes (B) from the first layers of each object. Raises CollectionError for damaged bytes."""

    def first_wave(self, codes: C, objects: Fitted | None, progress: Progress) -> tuple[Self, list[list[bytes]]]:
        """The layers of the first objects of a new collection, and the codec that it will hold.

        Called where the codec has nothing to store, or `learns_from_first_wave`; else it is stored before.
        """
        return self, self.encode(codes, objects, progress)

    @property
    def looks_at_views(self) -> bool:
        """Whether `encode` needs the views of its objects."""
        return False

    def tensors(self) -> dict[str, Tensor]:
        """What its file holds."""
        return {}

    def file_config(self) -> dict[str, Any]:
        """JSON of its file, which `open` gets back."""
        return {}

    def encoder_tensors(self) -> dict[str, Tensor] | None:
        """What a collection stores in the place of the run's encoder of images; None: that encoder stays."""
        return None

    @staticmethod
    def shared_file(tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The shared file of a new collection from that of the run: the same."""
        return tensors, config

    def shared_of(self, layers: Layers, shared: SharedPart) -> SharedPart:
        """What an object is rendered with: the given one, but where its own layers hold it."""
        return shared

    @property
    def counts(self) -> str:
        """What curves count beside an object's layers, divided by the objects: the `network` in 8 bits, the family's
        `config` alone where the layers hold the network, `nothing` where they hold both, or the whole `shared` file."""
        return "network"

    def minor(self, objects: Iterable[Layers]) -> int:
        """The minor version of the format of collections that readers of these objects have to know, at least."""
        return 0

    def part_sizes(self, layers: Layers) -> dict[str, int]:
        """The bytes of an object by what they are for. Raises CollectionError for a damaged header."""
        return {"layers": sum(len(layer) for layer in layers)}

    def table(self, objects: Sequence[Layers], network: int) -> PartTable | None:
        """The mean bytes of the parts of some objects, where there is more to say than how long layers are.

        `network`: bytes of the network that all share, counted as if an object came alone.
        """
        return None

    def pictures(self, layers: Layers) -> list[tuple[str, np.ndarray]]:
        """Pictures (grey, uint8) of what is stored of an object, with what they show."""
        return []

    def describe(self) -> str:
        """How objects are stored, in a sentence for the report; empty for the first codec of a family."""
        return ""


def name_in_file(codec: type[Codec[Any]]) -> str | None:
    """What a codec's file calls it; None for a codec without a file."""
    return codec.name if codec.stored_as == "" else codec.stored_as


def whole(value: float, what: str) -> int:
    """The value of a knob that is a whole number. Raises ConfigError for others."""
    if value != int(value):
        raise ConfigError(f"{what}: {value} is no whole number")
    return int(value)


def check_views(originals: Originals[Any], why: str) -> None:
    """Raises ConfigError where the views of a run are not at hand. `why`: what needs them."""
    if not originals.with_views:
        raise ConfigError(
            f"{originals.path}: {why} the views that objects were fitted to, which are not at hand: restore them, and "
            "give the run's folder"
        )
