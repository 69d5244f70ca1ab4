"""What one may choose of micro planes by codebooks."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from manyfields._checks import COUNT, NATURAL, Bounds, check_annotated

BITS = (6,)
STEPS = 300


@dataclass(frozen=True)
class CodebookSettings:
    """Micro planes by codebooks that all objects share."""

    bits: Annotated[tuple[int, ...], Bounds(least=1, most=16)] = BITS
    """Bits of an index; several: codebooks one after the other, each for what the ones before left."""
    groups: Annotated[int | None, tyro.conf.arg(metavar="INT"), COUNT] = None
    """Parts of the features with codebooks of their own; one for every two features if not given."""
    steps: Annotated[int, NATURAL] = STEPS
    """In which each object's indices are fitted to its training views; 0: nearest entries, no views needed."""

    def __post_init__(self) -> None:
        check_annotated(self)
