"""How a family writes one object as a file of its own, of which the first bytes already render."""

from collections.abc import Mapping, Sized
from typing import Any, Protocol

from manyfields.errors import CollectionError
from manyfields.families.codec import PartTable


class StreamContent(Protocol):
    """What was read of such a file."""

    @property
    def config(self) -> Mapping[str, Any]:
        """JSON on how to use it: id, family, bounds, sampler."""
        ...

    @property
    def levels(self) -> Sized:
        """Those that were read; at least one."""
        ...


class StreamForm(Protocol):
    """One format of such files. `network` is the network of the family; codes are those of one object (B = 1)."""

    def write(self, network: Any, codes: Any, config: Mapping[str, Any], network_bits: int) -> bytes:
        """The file: network, then level after level. Raises CollectionError for codes that it cannot hold."""
        ...

    def read(self, data: bytes, size: int | None) -> StreamContent:
        """What a file says, or its first `size` bytes, as far as levels are whole. Raises CollectionError."""
        ...

    def table(self, data: bytes) -> PartTable:
        """What the parts of a file take, and from which byte on it renders."""
        ...

    def codes(self, content: Any, network: Any) -> Any:
        """The codes, once the network has its numbers from the file. Raises CollectionError where they do not fit."""
        ...


def member(config: Mapping[str, Any], name: str, kind: type) -> Any:
    """A member of a stream's config. Raises CollectionError where it is missing or of another kind."""
    value = config.get(name)
    if not isinstance(value, kind):
        raise CollectionError(f"its config has no {name!r}: it does not say how to use it")
    return value
