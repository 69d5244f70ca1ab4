"""What a long run will take, from a short pilot: printed before it starts, so that nobody waits in vain."""

from dataclasses import dataclass

from manyfields.errors import ConfigError
from manyfields.evaluation.units import format_bytes, format_seconds


@dataclass(frozen=True)
class PhasePilot:
    """One phase (`warm-up`, `joint`, `stage 2`, ...): seconds a step as measured, steps as planned."""

    name: str
    seconds_per_step: float
    steps: int


@dataclass(frozen=True)
class Pilot:
    """A short trial of a run: its phases, the objects it will hold and the bytes these will take."""

    phases: tuple[PhasePilot, ...]
    objects: int
    shared_bytes: int
    object_bytes: float
    before: tuple[tuple[str, float], ...] = ()
    """What comes before the steps, by name, and its seconds: reading, for one."""
    after: tuple[tuple[str, float], ...] = ()
    """What comes beside and after them: measuring, the report."""


@dataclass(frozen=True)
class Forecast:
    """Expected minutes of each phase by name, and bytes on disk."""

    minutes: tuple[tuple[str, float], ...]
    total_bytes: float
    objects: int

    @property
    def total_minutes(self) -> float:
        return sum(minutes for _, minutes in self.minutes)

    @property
    def text(self) -> str:
        """One paragraph for a person who is about to wait."""
        parts = ", ".join(f"{name} {format_seconds(60 * minutes)}" for name, minutes in self.minutes)
        return (
            f"Expected: {format_seconds(60 * self.total_minutes)} in all ({parts}) and "
            f"{format_bytes(self.total_bytes)} on disk for {self.objects:,} object{'s' if self.objects != 1 else ''}, "
            f"which is {format_bytes(self.total_bytes / self.objects)} an object with its share of the shared part. "
            "This is extrapolated from a short pilot on this machine."
        )


def forecast(pilot: Pilot) -> Forecast:
    """Extrapolate a pilot. Raises ConfigError for a pilot of no objects or with a negative time."""
    if pilot.objects < 1:
        raise ConfigError(f"a forecast is for at least 1 object, not {pilot.objects}")
    if bad := [phase.name for phase in pilot.phases if phase.seconds_per_step < 0 or phase.steps < 0]:
        raise ConfigError(f"phase {bad[0]!r} of the pilot has a negative time or number of steps")
    steps = ((phase.name, phase.seconds_per_step * phase.steps) for phase in pilot.phases)
    parts = (*pilot.before, *steps, *pilot.after)
    minutes = tuple((name, seconds / 60) for name, seconds in parts if seconds > 0)
    return Forecast(minutes, pilot.shared_bytes + pilot.objects * pilot.object_bytes, pilot.objects)
