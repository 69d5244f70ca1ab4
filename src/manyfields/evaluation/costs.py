"""What a set costs in time and bytes, measured, and extrapolated to N objects as in the paper.

t(N) = t_stage1 + max(0, N - N1) t_object           N1: objects of stage 1, t_object: stage 2 for one more
m(N) = shared part + codec + N x bytes of one object   (+ encoder, for those who will fit more objects)
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, median
from typing import Any

from manyfields.errors import ConfigError

DEFAULT_COUNTS = (100, 1_000, 10_000)


@dataclass(frozen=True)
class CostAccount:
    """Costs of one run. Seconds are wall time on one machine, bytes are bytes on disk.

    `object_seconds_mean` and `_median` are of stage 2 and None where it fitted no object. `object_layer_bytes` is the
    mean size of each layer of an object, layer 0 first. `decode_seconds` turns one object's stored bytes into its code,
    `render_seconds` draws one view of it.
    """

    stage1_seconds: float
    stage1_objects: int
    shared_bytes: int
    encoder_bytes: int
    object_layer_bytes: tuple[float, ...]
    object_seconds_mean: float | None = None
    object_seconds_median: float | None = None
    decode_seconds: float | None = None
    render_seconds: float | None = None
    training_views_per_second: float | None = None
    codec_bytes: int = 0

    @property
    def object_bytes(self) -> float:
        """Mean bytes of one object, all its layers, without its share of the shared part."""
        return sum(self.object_layer_bytes)

    def total_time(self, objects: int) -> float | None:
        """t(N) in seconds. None beyond the objects of stage 1 where stage 2 was not measured."""
        beyond = max(0, _count(objects) - self.stage1_objects)
        if not beyond:
            return self.stage1_seconds
        if self.object_seconds_mean is None:
            return None
        return self.stage1_seconds + beyond * self.object_seconds_mean

    def total_bytes(self, objects: int, with_encoder: bool = False) -> float:
        """m(N): what a server of the collection holds. `with_encoder` adds what fitting needs, as the paper counts."""
        shared = self.shared_bytes + self.codec_bytes + (self.encoder_bytes if with_encoder else 0)
        return shared + _count(objects) * self.object_bytes

    def bytes_per_object(self, objects: int) -> float:
        """Bytes of one object with its share of the shared part and the codec, when `objects` share them."""
        return with_share(self.object_bytes, self.shared_bytes + self.codec_bytes, objects)

    def table(self, counts: Sequence[int] = DEFAULT_COUNTS) -> list["CostRow"]:
        """t(N) and m(N) for each N."""
        return [
            CostRow(n, self.total_time(n), self.total_bytes(n), self.total_bytes(n, True), self.bytes_per_object(n))
            for n in counts
        ]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"object_layer_bytes": list(self.object_layer_bytes)}

    @classmethod
    def from_json(cls, value: Any) -> "CostAccount":
        """The inverse of `to_json`. Raises ConfigError where keys are missing or unknown."""
        names = {field.name for field in fields(cls)}
        if not isinstance(value, dict) or set(value) != names:
            got = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise ConfigError(f"a cost account has the keys {sorted(names)}, got {got}: measure it again")
        return cls(**value | {"object_layer_bytes": tuple(value["object_layer_bytes"])})


@dataclass(frozen=True)
class CostRow:
    """The cost of a set of `objects`: seconds, bytes to serve it, bytes to also fit more of it, bytes an object."""

    objects: int
    seconds: float | None
    served_bytes: float
    total_bytes: float
    bytes_per_object: float


def with_share(object_bytes: float, shared_bytes: float, objects: int) -> float:
    """Bytes of one object with its share of what `objects` objects share. Raises ConfigError for less than 1 object.

    >>> with_share(256, 9_180_000, objects=4), with_share(256, 9_180_000, objects=10_000)
    (2295256.0, 1174.0)
    """
    return object_bytes + shared_bytes / _count(objects)


def object_seconds(seconds: Iterable[float]) -> dict[str, float | None]:
    """The two fields of a CostAccount that summarise stage 2, from the seconds of its objects."""
    values = list(seconds)
    return {
        "object_seconds_mean": fmean(values) if values else None,
        "object_seconds_median": median(values) if values else None,
    }


def _count(objects: int) -> int:
    if objects < 1:
        raise ConfigError(f"a cost account is for at least 1 object, not {objects}")
    return objects
