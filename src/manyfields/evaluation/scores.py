"""The figures of one object and of a set: all metrics of its held-out views, and how they are averaged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

from manyfields.evaluation import metrics
from manyfields.evaluation.lpips import SMALLEST_SIDE, Lpips


@dataclass(frozen=True)
class Scores:
    """Means in dB, [0, 1], LPIPS distance and shares of pixels.

    None: not measured (no weights, image too small, no foreground, nothing well inside).
    """

    psnr: float | None = None
    foreground_psnr: float | None = None
    holes: float | None = None
    """Share of the pixels well inside the silhouette that are not filled (`metrics.holes`)."""
    worst_holes: float | None = None
    """Likewise, of the view that has most."""
    ssim: float | None = None
    lpips: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def score_views(
    rendered: Float[Tensor, "V H W 3"],
    truth: Float[Tensor, "V H W 3"],
    alpha: Float[Tensor, "V H W"],
    lpips: Lpips | None = None,
    opacity: Float[Tensor, "V H W"] | None = None,
) -> list[Scores]:
    """All metrics of each view. `truth` is composited on white; without `lpips` or `opacity` their metrics are None.

    Metrics whose window is larger than the image are None too. Raises ViewError where shapes do not match.
    """
    side = min(truth.shape[1:3])
    psnr = metrics.psnr(rendered, truth).tolist()
    foreground = metrics.foreground_psnr(rendered, truth, alpha)
    nothing = [None] * len(truth)
    ssim = metrics.ssim(rendered, truth).tolist() if side >= metrics.SSIM_WINDOW else nothing
    distance = lpips(rendered, truth).tolist() if lpips is not None and side >= SMALLEST_SIDE else nothing
    open_ = metrics.holes(opacity, alpha) if opacity is not None else nothing
    return [Scores(*values) for values in zip(psnr, foreground, open_, open_, ssim, distance, strict=True)]


def mean_scores(parts: Iterable[Scores]) -> Scores:
    """The mean of each metric over those parts that have it, the worst of `worst_holes`.

    Views to object, then objects to set: in this order.
    """
    return Scores(**mean_figures([part.to_json() for part in (*parts, Scores())]))


def mean_figures(parts: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Likewise of figures by name, which all parts have.

    >>> mean_figures([{"psnr": 30.0, "iou": None}, {"psnr": 31.0, "iou": 0.5}])
    {'psnr': 30.5, 'iou': 0.5}
    """

    def joined(name: str) -> float | None:
        values = [value for part in parts if (value := part[name]) is not None]
        if not values:
            return None
        return max(values) if name == "worst_holes" else sum(values) / len(values)

    return {name: joined(name) for name in parts[0]}
