"""How whoever waits is told how far a phase is."""

from typing import Protocol


class Progress(Protocol):
    """Told how far a phase is; figures are what to show beside it."""

    def __call__(self, phase: str, done: int, total: int, **figures: float | int | str) -> None: ...


def silent(phase: str, done: int, total: int, **figures: float | int | str) -> None:
    """Progress that nobody watches."""
