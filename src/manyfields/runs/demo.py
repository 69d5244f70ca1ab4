"""`demo`: the whole way on built-in data, offline: inventory, views, fit, report."""

from pathlib import Path

from manyfields._checks import POSITIVE
from manyfields._lock import only_process
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.fit import fit
from manyfields.runs.record import FILE, RunRecord
from manyfields.runs.reporting import write_run_report
from manyfields.views.inventory import make_inventory
from manyfields.views.render_set import render_set

OBJECTS, VIEWS, SIZE = 16, 60, 128
MINUTES = 4.0


def demo(out: Path | str = "demo", *, minutes: float = MINUTES, progress: Progress = silent) -> Path:
    """Make vehicles, render them, fit them in both stages, and write the report; returns its path.

    Parts that are finished already are kept, so a demo that was interrupted is started again to go on.
    """
    POSITIVE.check("minutes", minutes)
    folder = Path(out)
    meshes, views, run = folder / "meshes", folder / "views", folder / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder):
        _make(meshes, views, run, minutes, progress)
    return run / "report.html"


def _make(meshes: Path, views: Path, run: Path, minutes: float, progress: Progress) -> None:
    progress("meshes", 0, 1)
    make_inventory(meshes, "vehicle", OBJECTS, 0)
    progress("meshes", 1, 1)
    render_set(meshes, views, views=VIEWS, size=SIZE, seed=0, depth=False, progress=_counting(progress))
    resume = (run / FILE).exists()
    fit(views, run, minutes=minutes, resume=resume, stage1_objects=OBJECTS * 3 // 4, progress=progress)
    if RunRecord.load(run).finished and not (run / "report.html").exists():
        write_run_report(run, progress=progress)


def _counting(progress: Progress):
    def report(done: int, total: int, *_: object) -> None:
        progress("views", done, total)

    return report
