"""What a run folder remembers besides the collection: settings, plan, split and held-out views, in run.json."""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from manyfields._io import read_json, write_json
from manyfields.errors import ConfigError, RunError
from manyfields.evaluation.origin import Origin, digest_of_digests, origin_here
from manyfields.fitting.phases import Phase
from manyfields.fitting.settings import FitSettings
from manyfields.runs.settings import settings_from_json, settings_to_json

FILE = "run.json"


@dataclass
class RunRecord:
    """Everything that a resumed run must not decide anew, and what a finished one tells.

    >>> record = RunRecord.load(Path("runs/vehicles"))
    >>> record.finished, sorted(record.stage1 + record.stage2)
    (True, ['car', 'truck', 'van'])
    """

    settings: FitSettings
    data: list[str]
    """Folders of views: that of the fit, then those of each `add`."""
    size: tuple[int, int]
    stage1: list[str]
    stage2: list[str]
    held_out: dict[str, dict[str, Any]]
    """By object: `source` (index into `data`), `views` (names never trained on), `trained` (how many were), `digest`
    (of all its views, once they were read), and `aside` (names of training views that were set aside to see by when a
    phase brings nothing more), where there are such."""
    phases1: list[Phase] = field(default_factory=list)
    phases2: list[Phase] = field(default_factory=list)
    step_seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of a run of a stated time: what a step of each phase of `stage1` and `stage2` takes, by the pilot."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Objects of the stages that could no longer be read when it was their turn. They keep their places in `stage1` and
    `stage2`: waves are made of those, and a resumed run must make the same ones."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time spent: `reading` (views and hulls), `pixels` (what steps draw from), `stage1`, `stage2` (all objects),
    by phase, and of each wave. Keys with a slash are parts of others."""
    curves: list[dict[str, Any]] = field(default_factory=list)
    machine: str = ""
    command: str = ""
    processes: list[dict[str, str]] = field(default_factory=list)
    """Command, commit, machine and date of each process that trained: of the fit, those that resumed it, each `add`."""
    finished: bool = False

    @property
    def trained(self) -> tuple[Origin, ...]:
        """How this run came to be, for results of record, with one hash of all its views.

        Raises RunError where an earlier version, which did not record it, began the run.
        """
        if not self.processes:
            raise RunError("the run does not say what code trained it: fit it again")
        views = digest_of_digests({name: held.get("digest", "") for name, held in self.held_out.items()})
        return tuple(Origin(**process, views=views) for process in self.processes)

    def trained_here(self) -> None:
        """Note that this process trains."""
        process = {name: value for name, value in asdict(origin_here()).items() if name != "views"}
        if process not in self.processes:
            self.processes.append(process)

    def spend(self, what: str, seconds: float) -> None:
        """Count time that an object takes and no step."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def readable(self, names: list[str]) -> list[str]:
        """Those of these objects that are not lost."""
        return [name for name in names if name not in self.lost]

    def save(self, run: Path) -> None:
        values = asdict(self)
        values["settings"] = settings_to_json(self.settings)
        write_json(run / FILE, values)

    @staticmethod
    def load(run: Path) -> "RunRecord":
        """Raises RunError where the folder holds no run, or its record is damaged."""
        path = run / FILE
        if not path.is_file():
            raise RunError(f"{run} is not a run folder (no {FILE}): give the folder that `manyfields fit --out` made")
        try:
            values = read_json(path)
            values["settings"] = settings_from_json(values["settings"])
            values["size"] = tuple(values["size"])
            # Earlier versions called stage 1 of images and voxels so.
            spent = values.get("seconds", {})
            values["seconds"] = {re.sub("^stage 1(?=/|$)", "stage1", name): spent[name] for name in spent}
            for name in ("phases1", "phases2"):
                values[name] = [Phase(**phase) for phase in values[name]]
            return RunRecord(**values)
        except (ConfigError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"{path} is damaged ({error}): restore it, or fit again into another folder") from error
