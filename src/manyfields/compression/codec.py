"""What every codec of stored objects is."""

from collections.abc import Sequence
from typing import Any, Protocol


class Codec(Protocol):
    """Codes of one family to layers of bytes, and back."""

    @property
    def name(self) -> str:
        """What a collection's config calls it."""
        ...

    def encode(self, codes: Any) -> list[list[bytes]]:
        """Per object its layers, coarse first. Raises CollectionError for what is no number."""
        ...

    def decode(self, objects: Sequence[Sequence[bytes]]) -> Any:
        """Codes (B) from the first layers of each object. Raises CollectionError for damaged bytes."""
        ...
