"""Metrics against scikit-image, and the cases in which they have no ordinary value."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from manyfields.errors import ViewError
from manyfields.evaluation.metrics import PSNR_CAP, foreground_psnr, holes, psnr, ssim
from manyfields.evaluation.scores import Scores, mean_scores, score_views


def noisy_pair(seed: int, noise: float, views: int = 2, height: int = 24, width: int = 33):
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(views, 3, 6, 6, generator=generator)
    truth = torch.nn.functional.interpolate(smooth, (height, width), mode="bilinear").permute(0, 2, 3, 1)
    return (truth + noise * torch.randn(truth.shape, generator=generator)).clamp(0, 1), truth


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), noise=st.floats(0.003, 0.4))
def test_psnr_and_ssim_equal_scikit_image(seed, noise):
    rendered, truth = noisy_pair(seed, noise)
    ours = psnr(rendered, truth), ssim(rendered, truth)
    for v in range(len(truth)):
        a, b = truth[v].double().numpy(), rendered[v].double().numpy()
        assert ours[0][v].item() == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1.0), abs=1e-3)
        expected = structural_similarity(
            a, b, data_range=1.0, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ours[1][v].item() == pytest.approx(expected, abs=2e-4)


def test_identical_images_are_capped_and_nothing_else_is():
    truth = torch.rand(1, 128, 128, 3)
    assert psnr(truth, truth).item() == PSNR_CAP
    eight_bit = torch.zeros(1, 128, 128, 3)
    nearest = eight_bit.clone()
    nearest[0, 5, 5, 1] = 1 / 255
    assert 94 < psnr(nearest, eight_bit).item() < 96
    assert ssim(truth, truth).item() == pytest.approx(1.0)


def test_foreground_is_only_where_true_alpha_is_above_a_half():
    truth = torch.zeros(3, 8, 8, 3)
    rendered = truth.clone()
    rendered[:, 0] = 0.1  # wrong in the first row only
    alpha = torch.zeros(3, 8, 8)
    alpha[0, 0] = 1.0
    alpha[1, 1] = 0.51
    alpha[2, 0] = 0.5  # not above
    wrong, right, nothing = foreground_psnr(rendered, truth, alpha)
    assert wrong == pytest.approx(20.0, abs=1e-4)
    assert right == PSNR_CAP
    assert nothing is None


def test_foreground_equals_scikit_image_on_the_selected_pixels():
    rendered, truth = noisy_pair(3, 0.1)
    alpha = torch.rand(truth.shape[:3], generator=torch.Generator().manual_seed(1))
    for v, value in enumerate(foreground_psnr(rendered, truth, alpha)):
        inside = alpha[v].numpy() > 0.5
        a, b = truth[v].double().numpy()[inside], rendered[v].double().numpy()[inside]
        assert value == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1.0), abs=1e-3)


def test_wrong_shapes_are_named(unchecked_shapes):
    with pytest.raises(ViewError, match=r"\(1, 8, 8, 4\).*\(1, 8, 8, 3\)"):
        psnr(torch.zeros(1, 8, 8, 4), torch.zeros(1, 8, 8, 3))
    with pytest.raises(ViewError, match="alpha has shape"):
        foreground_psnr(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3), torch.ones(1, 8, 7))
    with pytest.raises(ViewError, match="opacity of"):
        holes(torch.ones(1, 8, 7), torch.ones(1, 8, 8))
    with pytest.raises(ViewError, match="at least 11 pixels"):
        ssim(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3))


def test_scores_of_small_images_leave_out_what_has_no_window():
    rendered, truth = noisy_pair(0, 0.1, height=8, width=8)
    score = score_views(rendered, truth, torch.zeros(2, 8, 8))[0]
    assert score.ssim is None and score.lpips is None and score.foreground_psnr is None
    assert score.psnr == pytest.approx(psnr(rendered, truth)[0].item())


def test_means_are_over_objects_of_means_over_views():
    first = mean_scores([Scores(psnr=20.0), Scores(psnr=30.0), Scores(psnr=40.0, lpips=0.5)])
    second = mean_scores([Scores(psnr=10.0)])
    assert first == Scores(psnr=30.0, lpips=0.5)
    assert mean_scores([first, second]).psnr == 20.0  # not 25.0, the mean over all views
    assert set(mean_scores([]).to_json().values()) == {None}


def test_worse_images_score_worse():
    values = [psnr(*noisy_pair(5, noise)).mean().item() for noise in (0.01, 0.05, 0.2)]
    assert values == sorted(values, reverse=True) and np.isfinite(values).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(5, 20))
def test_holes_equal_a_loop_over_pixels(seed, size):
    generator = np.random.default_rng(seed)
    alpha = torch.from_numpy((generator.random((1, size, size)) > 0.03).astype(np.float32))
    opacity = torch.from_numpy(generator.choice([0.85, 0.95], (1, size, size)).astype(np.float32))
    inside = [
        (y, x)
        for y in range(2, size - 2)
        for x in range(2, size - 2)
        if bool((alpha[0, y - 2 : y + 3, x - 2 : x + 3] > 0.99).all())
    ]
    (found,) = holes(opacity, alpha)
    if not inside:
        assert found is None
    else:
        assert found == pytest.approx(np.mean([float(opacity[0, y, x]) < 0.9 for y, x in inside]), abs=1e-6)


def test_glass_and_borders_have_no_holes():
    alpha, nothing = torch.ones(2, 20, 20), torch.zeros(2, 20, 20)
    alpha[0, 8:12, 8:12] = 0.6
    see_through = alpha.clone()
    see_through[1, :2] = 0.0  # within two pixels of the border
    assert holes(see_through, alpha) == [0.0, 0.0]
    assert holes(nothing, torch.full((2, 20, 20), 0.5)) == [None, None]
    assert holes(nothing, torch.ones(2, 20, 20)) == [1.0, 1.0]


def test_the_worst_view_counts_and_the_mean_beside_it():
    views = [Scores(holes=0.0, worst_holes=0.0), Scores(holes=0.1, worst_holes=0.1)]
    chair, table = mean_scores(views), Scores(holes=0.0, worst_holes=0.0)
    assert (chair.holes, chair.worst_holes) == (0.05, 0.1)
    assert (mean_scores([chair, table]).holes, mean_scores([chair, table]).worst_holes) == (0.025, 0.1)
