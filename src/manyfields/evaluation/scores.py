"""The figures of one object and of a set: all metrics of its held-out views, and how they are averaged."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

from manyfields.evaluation import metrics
from manyfields.evaluation.lpips import SMALLEST_SIDE, Lpips


@dataclass(frozen=True)
class Scores:
    """Means in dB, [0, 1] and LPIPS distance. None: not measured (no weights, image too small, no foreground)."""

    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    foreground_psnr: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def score_views(
    rendered: Float[Tensor, "V H W 3"],
    truth: Float[Tensor, "V H W 3"],
    alpha: Float[Tensor, "V H W"],
    lpips: Lpips | None = None,
) -> list[Scores]:
    """All metrics of each view. `truth` is composited on white; `lpips` None leaves that metric None.

    Metrics whose window is larger than the image are None too. Raises ViewError where shapes do not match.
    """
    side = min(truth.shape[1:3])
    psnr = metrics.psnr(rendered, truth).tolist()
    foreground = metrics.foreground_psnr(rendered, truth, alpha)
    nothing = [None] * len(truth)
    ssim = metrics.ssim(rendered, truth).tolist() if side >= metrics.SSIM_WINDOW else nothing
    distance = lpips(rendered, truth).tolist() if lpips is not None and side >= SMALLEST_SIDE else nothing
    return [Scores(*values) for values in zip(psnr, ssim, distance, foreground, strict=True)]


def mean_scores(parts: Iterable[Scores]) -> Scores:
    """The mean of each metric over those parts that have it. Views to object, then objects to set: in this order."""
    parts = list(parts)

    def mean(name: str) -> float | None:
        values = [value for part in parts if (value := getattr(part, name)) is not None]
        return sum(values) / len(values) if values else None

    return Scores(**{field.name: mean(field.name) for field in fields(Scores)})
