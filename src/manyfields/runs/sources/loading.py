"""Views of a run's objects into memory; an object that cannot be read is set aside, and the run goes on."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from manyfields.errors import ViewError
from manyfields.evaluation.origin import digest_of_files
from manyfields.fitting.data import FittingObject, load_object
from manyfields.fitting.progress import Progress, silent
from manyfields.fitting.settings import FitSettings
from manyfields.runs.record import RunRecord
from manyfields.views import ObjectViews, Problem, hold_out


def split_views(views: ObjectViews, settings: FitSettings) -> tuple[list[int], list[int]]:
    """Indices of the views that are trained on, and of those that are held out."""
    return hold_out(views.names, views.id, seed=settings.seed, fraction=settings.held_out, test_names=views.test_names)


def tell_problems(problems: Sequence[Problem], say: Callable[[str], None]) -> None:
    """One line for each: what was set aside, and why, or what was read in another way than it is written."""
    for problem in problems:
        where = f"object {problem.object}" + (f", view {problem.view}" if problem.view else "")
        say(f"{'remark' if problem.remark else 'set aside'}: {where}: {problem.message}")


def lose(record: RunRecord, problem: Problem) -> None:
    """Set an object aside that was found usable before."""
    record.problems.append(asdict(problem))
    if problem.object in record.stage1 + record.stage2:
        record.lost.append(problem.object)
    else:
        record.held_out.pop(problem.object, None)


def digest_of_views(views: ObjectViews) -> str:
    """Of names, cameras and all files of an object's views."""
    placed = views.cameras
    cameras = [repr(each.tolist()) for each in (placed.camera_to_world, placed.focal, placed.center)]
    depth = [None if file is None else file.path for file in views.depth_files]
    return digest_of_files([*views.names, *cameras], [*views.files, *views.masks, *depth])


def load_objects(objects: Sequence[ObjectViews], record: RunRecord, progress: Progress = silent) -> list[FittingObject]:
    """Objects with their training views read. What fails to read enters the record's problems, lost to its stages.

    Who has a run folder saves the record then: a resumed run must know what the run that it goes on with has lost.
    """
    loaded = []
    for number, views in enumerate(objects):
        try:
            settings = record.settings
            item = load_object(
                views,
                record.size,
                seed=settings.seed,
                fraction=settings.held_out,
                hull=settings.hull,
                aside=record.held_out.get(views.id, {}).get("aside", ()),
            )
            loaded.append(item)
            # Of objects that a stage learns from; a copy of the record that a comparison made may know of others alone.
            if views.id in record.held_out:
                record.held_out[views.id]["digest"] = digest_of_views(views)
        except (ViewError, MemoryError) as error:
            lose(record, Problem(views.id, None, "unreadable", str(error) or "its views do not fit into memory", True))
        progress("reading views", number + 1, len(objects))
    return loaded
