"""A quick look at held-out views during a fit, for its curves. Figures of record come from stored bytes instead."""

from collections.abc import Callable

import torch

from manyfields.fitting.data import load_views
from manyfields.rendering import Sampler
from manyfields.runs.trainer import StageFitter
from manyfields.views import composite

OBJECTS_OF_A_PROBE = 8


def held_out_probe(fitter: StageFitter, sampler: Sampler, size: tuple[int, int]) -> Callable[[], float] | None:
    """A function that gives the mean PSNR of the first held-out view of up to 8 objects; None without such views."""
    rows = [row for row, item in enumerate(fitter.data.objects) if item.test]
    rows = rows[:: max(1, len(rows) // OBJECTS_OF_A_PROBE)][:OBJECTS_OF_A_PROBE]
    if not rows:
        return None
    views = [load_views(fitter.data.objects[row].source, fitter.data.objects[row].test[:1], size) for row in rows]
    truths = [torch.from_numpy(composite(rgba.numpy())).permute(0, 3, 1, 2).float() / 255.0 for rgba, _ in views]

    def probe() -> float:
        total = 0.0
        for row, truth, (_, cameras) in zip(rows, truths, views, strict=True):
            seen = fitter.pictures(row, cameras, sampler)
            assert seen.images is not None
            error = (seen.images[0].float().clamp(0, 1).cpu() - truth).square().mean()
            total -= 10.0 * float(torch.log10(error.clamp(min=1e-10)))
        return total / len(rows)

    return probe
