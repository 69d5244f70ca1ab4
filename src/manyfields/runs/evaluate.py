"""`evaluate`: quality of a run on what it was not fitted to, from the stored bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyfields._checks import COUNT
from manyfields.collection import Collection, open_collection
from manyfields.evaluation.scores import mean_figures
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.moved import found_again
from manyfields.runs.sources.source import Figures
from manyfields.runs.sources.table import source_of

SEEN = {"stage1": "seen", "stage2": "unseen"}


def evaluate(
    run: Path | str, *, level: int | None = None, data: Sequence[Path | str] = (), progress: Progress = silent
) -> dict[str, Any]:
    """PSNR, SSIM, LPIPS (squeeze) and foreground PSNR on held-out views, per object and as the mean over objects.

    Every figure comes from the bytes in the collection, of the first `level` layers (all when None). Returns {"mean":
    {...}, "objects": {id: {...}}, "stages": {...}, "notes": [...]}; a metric is None where it could not be measured,
    with the reason in the notes. Of images and voxels: PSNR and IoU of every instance. `data`: where the folders of
    views, images or meshes are now, if they have moved since the fit. Raises RunError where the run has no held-out
    views, or none of its instances are left; ViewError where folders are gone.

    >>> figures = evaluate("runs/vehicles")
    >>> sorted(figures["objects"]), figures["mean"]["psnr"] > 3
    (['car', 'truck', 'van'], True)
    """
    COUNT.check("level", level)
    collection = open_collection(run)
    record = found_again(Path(run), RunRecord.load(Path(run)), data)
    figures, notes = source_of(record.settings).evaluate(collection, record, level, progress)
    stages = {}
    for stage in ("1", "2"):
        of_stage = [own for name, own in figures.items() if _stage(collection, name) == stage]
        if of_stage:
            stages[f"stage{stage}"] = {"objects": len(of_stage), **mean_figures(of_stage)}
    if len(stages) > 1:
        notes += [f"stage {name[-1]} ({SEEN[name]}): {_in_words(values)}" for name, values in stages.items()]
    mean = mean_figures(list(figures.values()))
    return {"mean": mean, "objects": figures, "stages": stages, "level": level, "notes": notes}


def _in_words(figures: Figures) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if value is not None)


def _stage(collection: Collection, name: str) -> str:
    return str(int(collection.entry(name).metrics.get("stage", 1)))
