"""Progress of long commands: a live bar with the time left on a terminal, sparse plain lines in a log.

    with progress("fit") as report:
        report("warm-up", done, total, psnr=24.1)

Everything goes to stderr, so that a command's stdout can be piped.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

SECONDS_BETWEEN_LINES = 10.0


class Report(Protocol):
    """Called as often as the caller likes; drawing is throttled here."""

    def __call__(self, phase: str, done: int, total: int, **figures: float | int | str) -> None:
        """phase: what is being done now; done of total: how far it is; figures: what to show beside it."""


@contextmanager
def progress(title: str, stream: TextIO | None = None) -> Iterator[Report]:
    """Yield a `Report`: live bars if `stream` (stderr by default) is a terminal, else a line every ten seconds."""
    stream = sys.stderr if stream is None else stream
    if stream.isatty():
        with _live_bars(title, stream) as report:
            yield report
    else:
        yield PlainLines(title, stream)


def to_stderr(text: str) -> None:
    """A line beside the bars, for what a user should know before the end."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _live_bars(title: str, stream: TextIO) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[figures]}"),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(file=stream), refresh_per_second=4) as bars:

        def report(phase: str, done: int, total: int, **figures: float | int | str) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(f"{title}: {phase}", total=total, figures="")
            bars.update(tasks[phase], completed=done, total=total, figures=describe(figures))

        yield report


@dataclass
class PlainLines:
    """One line when a phase starts, one when it ends, and between them at most one every ten seconds."""

    title: str
    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    _started: dict[str, tuple[float, int]] = field(default_factory=dict)
    _last_line: float = float("-inf")

    def __call__(self, phase: str, done: int, total: int, **figures: float | int | str) -> None:
        now = self.clock()
        first = phase not in self._started
        since, done_then = self._started.setdefault(phase, (now, done))
        if not first and done < total and now - self._last_line < SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        parts = [f"{self.title}: {phase} {done}/{total}"]
        if done >= total:
            parts.append(f"took {duration(now - since)}")
        elif done > done_then:
            parts.append(f"{duration((now - since) * (total - done) / (done - done_then))} left")
        if figures:
            parts.append(describe(figures))
        print(", ".join(parts), file=self.stream, flush=True)


def describe(figures: dict[str, float | int | str]) -> str:
    """`psnr 24.1  loss 0.00312`: floats to four significant digits."""
    return "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
