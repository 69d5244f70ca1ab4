"""Runs the phases of a stage with checkpoints, progress and curves, and picks up where a killed run stopped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from manyfields.fitting.checkpoints import load_checkpoint, save_checkpoint
from manyfields.fitting.fitters import TrainedFitter
from manyfields.fitting.phases import Phase
from manyfields.fitting.plateaus import CHECKS, brings_nothing, ended
from manyfields.fitting.progress import Progress, silent

POINTS_OF_A_CURVE = 60
PROBES_OF_A_PHASE = 8
SHOWN = {name: name for name in ("latent", "rgb", "values", "held_out_psnr")} | {
    "held_out_foreground_psnr": "foreground"
}
"""Figures of a step that stand beside its progress, and what they are called there, where there is little room."""
Clock = Callable[[], float]
"""Seconds since some moment: `time.monotonic`, or one that a test turns by hand."""


@dataclass
class StageTrainer:
    """One stage of one fitter. `name` names its checkpoint and its curves."""

    name: str
    fitter: TrainedFitter
    phases: Sequence[Phase]
    checkpoint: Path
    every_seconds: float = 120.0
    progress: Progress = silent
    probe: Callable[[], dict[str, float]] | None = None
    """Held-out figures of the floats in training, by name, for curves."""
    watch: Callable[[], float] | None = None
    """PSNR of training views that are set aside, which decide whether a phase that `stops` still brings anything."""
    step_seconds: Sequence[float] = ()
    """What a step of each phase takes by the pilot: steps that a phase leaves go to the next one. Without: to none."""
    say: Callable[[str], None] = field(default=lambda text: None, repr=False)
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent in steps, by phase; looking at held-out views and writing checkpoints do not count."""
    curves: list[dict[str, Any]] = field(default_factory=list)
    spare: float = 0.0
    """Seconds of steps that were planned, and that no phase of the stage took."""
    _since: list[dict[str, float]] = field(default_factory=list)
    """Losses of the steps since the last point of the curve."""
    _looks: list[float] = field(default_factory=list)
    """What `watch` gave in the phase, first of all at its start."""
    _planned: int = 0
    """Steps of the phase; 0 before it is entered."""
    _ends: int = 0
    """Step at which the phase ends sooner than planned; 0: it does not."""

    def run(self) -> None:
        """All phases that are not done yet. Checkpoints are written every `every_seconds` and at the end of each phase.

        A checkpoint of other objects (an `add` that was interrupted, and then given other data) is not used.
        """
        for partial in self.checkpoint.parent.glob(f".{self.checkpoint.name}.*.tmp"):
            partial.unlink(missing_ok=True)  # what a killed run was writing
        first, step = 0, 0
        tensors = None
        if self.checkpoint.is_file():
            found, record = load_checkpoint(self.checkpoint)
            if record["objects"] == self._objects():
                tensors, first, step = found, record["phase"], record["step"]
                self.seconds, self.curves, self._since = record["seconds"], record["curves"], record["since"]
                # Checkpoints of older versions have none of these.
                self._looks, self.spare = record.get("looks", []), record.get("spare", 0.0)
                self._planned, self._ends = record.get("planned", 0), record.get("ends", 0)
        if not step:
            self._before.unlink(missing_ok=True)
        if first == len(self.phases):
            assert tensors is not None
            self.fitter.load(tensors, optimizer=False)
            return
        for number in range(first, len(self.phases)):
            phase = self.phases[number]
            if tensors is not None:
                # The shared part first: what a phase prepares (cached latents) is made with it.
                self.fitter.load_shared(tensors)
            self.fitter.begin(phase)
            if tensors is not None:
                self.fitter.load(tensors, optimizer=step > 0)
            self._run_phase(number, step)
            tensors, step = None, 0

    @property
    def _before(self) -> Path:
        """The state in which a phase that may be undone began."""
        return self.checkpoint.with_name(f"{self.checkpoint.stem}-before{self.checkpoint.suffix}")

    def _entered(self, number: int) -> Phase:
        """A phase with its steps: those of the schedule, and those that phases before it have left time for."""
        phase = self.phases[number]
        if not self._planned:
            more = int(self.spare / self.step_seconds[number]) if self.step_seconds else 0
            self._planned, self.spare = phase.steps + more, 0.0 if more else self.spare
        return replace(phase, steps=self._planned)

    def _run_phase(self, number: int, start: int) -> None:
        began = time.monotonic()
        whole = self._entered(number)
        phase = replace(whole, steps=self._ends or whole.steps)
        spent = self.seconds.get(phase.name, 0.0)
        saved = began
        aside = 0.0
        every = max(1, whole.steps // POINTS_OF_A_CURVE)
        probe_every = every * (POINTS_OF_A_CURVE // PROBES_OF_A_PHASE)
        watch = self.watch if phase.stops else None
        look_every = max(1, whole.steps // CHECKS)
        shown: dict[str, float] = {}
        reached = start
        if watch is not None and not start:
            self._looks = [watch()]
            save_checkpoint(self._before, self.fitter.state(), {})
            saved = time.monotonic()
            aside = saved - began

        def after_step(done: int, losses: dict[str, float]) -> bool:
            """Whether the phase is another from here on."""
            nonlocal phase, reached, saved, shown, aside
            running, reached = phase, done
            self._since.append(losses)
            now = time.monotonic()
            self.seconds[phase.name] = spent + now - began - aside
            if watch is not None and done % look_every == 0 and done < phase.steps:
                self._looks.append(watch())
                aside += time.monotonic() - now
                if not self._ends and brings_nothing(self._looks):
                    phase = ended(whole, done)
                    self._ends = phase.steps
            if done % every == 0 or done == phase.steps:
                now = time.monotonic()
                point = {name: sum(each[name] for each in self._since) / len(self._since) for name in losses}
                if self.probe is not None and (done % probe_every == 0 or done == phase.steps):
                    point |= self.probe()
                    aside += time.monotonic() - now
                self.curves.append(self._point(phase, done, point))
                shown = {**shown, **point}
                self._since = []
            if time.monotonic() - saved > self.every_seconds and done < phase.steps:
                paused = time.monotonic()
                self._save(number, done)
                saved = time.monotonic()
                aside += saved - paused
            self.progress(f"{self.name}: {phase.name}", done, phase.steps, **_shown(shown))
            return phase is not running

        self.progress(f"{self.name}: {phase.name}", start, phase.steps)
        while reached < phase.steps:
            self.fitter.run(phase, reached, after_step)
        if self._ends:
            self._tell(phase, f"brought nothing more and ended after {phase.steps:,} of {whole.steps:,} steps")
            self.spare += (whole.steps - phase.steps) * (self.step_seconds[number] if self.step_seconds else 0.0)
        if watch is not None and watch() < self._looks[0]:
            self._tell(phase, "left views that were set aside worse than it found them, and is undone")
            self.fitter.load(load_checkpoint(self._before)[0], optimizer=False)
            undone = {} if self.probe is None else self.probe()
            self.curves.append(self._point(phase, phase.steps, undone))
        self._looks, self._planned, self._ends = [], 0, 0
        self._save(number + 1, 0)
        self._before.unlink(missing_ok=True)

    def _tell(self, phase: Phase, what: str) -> None:
        self.say(f"{self.name}: {phase.name} {what}")

    def _point(self, phase: Phase, done: int, figures: dict[str, float]) -> dict[str, Any]:
        """Of the curves."""
        where = {"stage": self.name, "phase": phase.name, "step": done, "seconds": sum(self.seconds.values())}
        return {**where, **figures}

    def _save(self, phase: int, step: int) -> None:
        record = {
            "objects": self._objects(),
            "phase": phase,
            "step": step,
            "planned": self._planned,
            "ends": self._ends,
            "seconds": self.seconds,
            "spare": self.spare,
            "looks": self._looks,
            "curves": self.curves,
            "since": self._since,
        }
        save_checkpoint(self.checkpoint, self.fitter.state(), record)

    def _objects(self) -> list[str]:
        return [item.id for item in self.fitter.data.objects]


def _shown(losses: dict[str, float]) -> dict[str, float]:
    return {SHOWN[name]: value for name, value in losses.items() if name in SHOWN}


def seconds_per_step(
    make_fitter: Callable[[], TrainedFitter], phases: Sequence[Phase], steps: int = 12, clock: Clock = time.monotonic
) -> list[float]:
    """Mean wall time of a step of each phase by `clock`, from a pilot on a fitter that is thrown away.

    A phase is run in so few steps: all that changes with the share that is done, such as the samples of a ray or the
    size of grids, falls into them. Two steps warm up before; of each quarter the median counts.
    """
    times = []
    for phase in phases:
        fitter, short = make_fitter(), replace(phase, steps=steps)
        fitter.begin(short)
        spent = []
        for index in (0, 0, *range(steps)):
            began = clock()
            fitter.step(short, index)
            spent.append(clock() - began)
        quarters = [spent[2 + steps * quarter // 4 : 2 + steps * (quarter + 1) // 4] for quarter in range(4)]
        times.append(mean(median(quarter) for quarter in quarters))
    return times
