"""How close rendered views are to true ones: pure functions of images.

Images are float in [0, 1], sRGB as stored, composited on white, channels last: `V H W 3`. Every function returns one
value a view; the mean over views, then over objects, is taken in `scores.py`.
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Bool, Float
from torch import Tensor

from manyfields.errors import ViewError

# Identical images have an infinite PSNR, which spoils every mean and is no JSON number. The smallest difference that
# two 8-bit images of 128x128 can have (one channel of one pixel off by one) is 95 dB, so nothing else reaches 100 dB.
PSNR_CAP = 100.0
SSIM_WINDOW = 11

INSIDE = 2  # pixels that the silhouette is eroded by, for `holes`
SOLID = 0.99  # alpha of what is as good as opaque
FILLED = 0.9  # opacity below which a pixel well inside is a hole


def psnr(rendered: Float[Tensor, "V H W 3"], truth: Float[Tensor, "V H W 3"]) -> Float[Tensor, " V"]:
    """Peak signal-to-noise ratio of each view, in dB, at most `PSNR_CAP`.

    Raises ViewError where the two differ in shape.

    >>> psnr(torch.full((1, 4, 4, 3), 0.6), torch.full((1, 4, 4, 3), 0.5)).round(decimals=3).tolist()
    [20.0]
    """
    _check_pair(rendered, truth)
    return _decibels((rendered.double() - truth.double()).square().mean(dim=(1, 2, 3))).float()


def foreground_psnr(
    rendered: Float[Tensor, "V H W 3"], truth: Float[Tensor, "V H W 3"], alpha: Float[Tensor, "V H W"]
) -> list[float | None]:
    """PSNR in dB over the pixels whose true `alpha` is above 0.5; None for a view that has no such pixel.

    White background is easy and lifts the PSNR of whole images; this figure is about the object alone.
    Raises ViewError where shapes do not match.
    """
    _check_pair(rendered, truth)
    if alpha.shape != truth.shape[:3]:
        raise ViewError(f"alpha has shape {tuple(alpha.shape)} beside images of {tuple(truth.shape)}: expected V H W")
    inside = alpha > 0.5
    error = (rendered.double() - truth.double()).square().mean(dim=3)
    return [
        float(_decibels(view_error[view_inside].mean())) if bool(view_inside.any()) else None
        for view_error, view_inside in zip(error, inside, strict=True)
    ]


def holes(opacity: Float[Tensor, "V H W"], alpha: Float[Tensor, "V H W"]) -> list[float | None]:
    """Share of the pixels well inside the true silhouette whose rendered `opacity` is below 0.9; None without such.

    A pixel is well inside where the true `alpha`, eroded by 2 pixels (the least of 5 x 5), is above 0.99: glass is not,
    nor is the border of the image. PSNR on a white background hardly sees a white hole in a white refrigerator.
    Raises ViewError where shapes do not match.

    >>> alpha = torch.zeros(1, 9, 9)
    >>> alpha[:, 1:8, 1:8] = 1.0
    >>> opacity = alpha.clone()
    >>> opacity[0, 4, 4] = 0.5
    >>> holes(opacity, alpha)
    [0.1111111119389534]
    """
    if opacity.shape != alpha.shape:
        raise ViewError(f"opacity of {tuple(opacity.shape)} beside alpha of {tuple(alpha.shape)}: both V H W")
    inside = _well_inside(alpha)
    open_ = (opacity < FILLED) & inside
    return [float(hole.sum() / of.sum()) if bool(of.any()) else None for hole, of in zip(open_, inside, strict=True)]


def _well_inside(alpha: Float[Tensor, "V H W"]) -> Bool[Tensor, "V H W"]:
    window = 2 * INSIDE + 1
    clear = functional.pad(1.0 - alpha, (INSIDE,) * 4, value=1.0)
    return functional.max_pool2d(clear.unsqueeze(1), window, 1).squeeze(1) < 1.0 - SOLID


def ssim(rendered: Float[Tensor, "V H W 3"], truth: Float[Tensor, "V H W 3"]) -> Float[Tensor, " V"]:
    """Structural similarity of each view (Wang et al. 2004: Gaussian window of 11, sigma 1.5).

    The map is torchmetrics'; its mean is over windows that lie wholly inside the image, as in the paper and in
    scikit-image. (torchmetrics 1.9's own mean also counts windows over a reflected border.)
    Raises ViewError where the shapes differ or a side is shorter than the window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    _check_pair(rendered, truth)
    if min(truth.shape[1:3]) < SSIM_WINDOW:
        raise ViewError(f"SSIM needs images of at least {SSIM_WINDOW} pixels a side, got {tuple(truth.shape[1:3])}")
    _, similarity = structural_similarity_index_measure(
        rendered.permute(0, 3, 1, 2).float(),
        truth.permute(0, 3, 1, 2).float(),
        data_range=1.0,
        reduction="none",
        return_full_image=True,
    )
    edge = SSIM_WINDOW // 2
    return similarity[:, :, edge:-edge, edge:-edge].mean(dim=(1, 2, 3))


def _decibels(mean_squared_error: Tensor) -> Tensor:
    return (-10.0 * torch.log10(mean_squared_error)).clamp(max=PSNR_CAP)


def _check_pair(rendered: Tensor, truth: Tensor) -> None:
    if rendered.shape != truth.shape or truth.ndim != 4 or truth.shape[3] != 3:
        raise ViewError(f"images of {tuple(rendered.shape)} cannot be compared with {tuple(truth.shape)}: both V H W 3")
