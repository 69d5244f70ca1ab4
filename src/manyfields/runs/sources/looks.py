"""Quick looks at views that a fit does not learn from. Figures of record come from stored bytes instead.

Held-out views are looked at for the curves, and decide nothing. A training view of a few objects is set aside before a
fit begins: those decide whether a phase still brings anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from manyfields.evaluation.metrics import foreground_psnr, psnr
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.fitting.data import load_views, stable_seed
from manyfields.fitting.fitters import ViewFitter
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.loading import split_views
from manyfields.views import ObjectViews, composite

OBJECTS_OF_A_PROBE = 4
PIXELS_OF_A_PROBE = 2**17
"""Of all its views together, one ray each: what is asked for many times in a fit must take little of it."""
VIEWS_TO_SPARE = 20
"""Training views that an object has at least where one is set aside."""


def spare_views(record: RunRecord, objects: Sequence[ObjectViews], phases: Sequence[Phase]) -> None:
    """Take a training view of up to four of `objects` out of training, where a phase may stop by them.

    Which objects and views, seeded hashes decide; they are recorded, so that a resumed run has the same.
    """
    if not any(phase.stops for phase in phases):
        return
    seed = record.settings.seed
    able = [views for views in objects if record.held_out[views.id]["trained"] >= VIEWS_TO_SPARE]
    for views in sorted(able, key=lambda item: stable_seed(seed, "aside", item.id))[:OBJECTS_OF_A_PROBE]:
        train, _ = split_views(views, record.settings)
        names = sorted((views.names[index] for index in train), key=lambda name: stable_seed(seed, "aside", name))
        record.held_out[views.id].update(aside=names[:1], trained=len(train) - 1)


def held_out_probe(
    fitter: ViewFitter, sampler: Sampler, size: tuple[int, int]
) -> Callable[[], dict[str, float]] | None:
    """A function that gives the mean PSNR of the first held-out view of up to 4 objects, and that of its foreground if
    it has any, as points of a curve name them; None without such views."""
    views = {row: item.test[0] for row, item in enumerate(fitter.data.objects) if item.test}
    look = _look(fitter, views, sampler, size)

    def probe() -> dict[str, float]:
        assert look is not None
        found = mean_scores(look())
        named = {"held_out_psnr": found.psnr, "held_out_foreground_psnr": found.foreground_psnr}
        return {name: value for name, value in named.items() if value is not None}

    return None if look is None else probe


def watch(fitter: ViewFitter, sampler: Sampler, size: tuple[int, int]) -> Callable[[], float] | None:
    """A function that gives the mean PSNR of the training views that are set aside; None without such views."""
    views = {row: item.aside[0] for row, item in enumerate(fitter.data.objects) if item.aside}
    look = _look(fitter, views, sampler, size)

    def watched() -> float:
        assert look is not None
        whole = [each.psnr for each in look() if each.psnr is not None]
        return sum(whole) / len(whole)

    return None if look is None else watched


def looks_at_once(objects: int, size: tuple[int, int]) -> int:
    """Of how many objects a probe sees a view: of as many as it has pixels for, at least of one."""
    return min(objects, OBJECTS_OF_A_PROBE, max(1, PIXELS_OF_A_PROBE // (size[0] * size[1])))


def _look(
    fitter: ViewFitter, views: dict[int, int], sampler: Sampler, size: tuple[int, int]
) -> Callable[[], list[Scores]] | None:
    """Both PSNR of one view of some objects, by row."""
    if not views:
        return None
    count = looks_at_once(len(views), size)
    rows = list(views)[:: max(1, len(views) // count)][:count]
    once = replace(sampler, supersampling=1)
    seen = [load_views(fitter.data.objects[row].source, [views[row]], size) for row in rows]
    truths = [torch.from_numpy(composite(rgba.numpy())).float() / 255.0 for rgba, _ in seen]
    alphas = [rgba[..., 3].float() / 255.0 for rgba, _ in seen]

    def look() -> list[Scores]:
        found = []
        for row, truth, alpha, (_, cameras) in zip(rows, truths, alphas, seen, strict=True):
            drawn = fitter.pictures(row, cameras, once)
            assert drawn.images is not None
            image = drawn.images[0].float().clamp(0, 1).cpu().permute(0, 2, 3, 1)
            (inside,) = foreground_psnr(image, truth, alpha)
            found.append(Scores(psnr=float(psnr(image, truth)), foreground_psnr=inside))
        return found

    return look
