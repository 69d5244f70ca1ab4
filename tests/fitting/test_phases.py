"""Schedules, planned steps, and settings without meaning."""

from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.fitting.phases import Phase


def test_rates_warm_up_then_decay_to_the_final_share():
    phase = Phase("p", 400, rgb=1.0, final_rate=0.1)
    factors = [phase.rate_factor(step) for step in range(400)]
    assert factors[0] < 0.05 and factors.index(max(factors)) in range(35, 42)
    assert all(later < earlier for earlier, later in zip(factors[41:], factors[42:], strict=False))
    assert factors[-1] == pytest.approx(0.1, rel=0.02)
    assert factors[200] == pytest.approx(0.1**0.5, rel=0.01)


def test_a_short_phase_hardly_warms_up():
    assert Phase("p", 4, rgb=1.0, final_rate=1.0).rate_factor(0) == 1.0


def test_epochs_become_steps():
    phase = Phase("p", epochs=10, rgb=1.0, objects_per_step=4, views_per_object=5)
    assert phase.planned(8, 8 * 36).steps == 10 * 8 * 36 / (4 * 5)
    assert phase.planned(8, 8 * 36, 0.5).steps == 5 * 8 * 36 / (4 * 5)
    assert phase.shortened(0.5).planned(8, 8 * 36) == replace(phase, epochs=5.0).planned(8, 8 * 36)
    assert replace(phase, steps=9).shortened(0.3).steps == replace(phase, steps=9).planned(8, 8 * 36, 0.3).steps == 3
    assert replace(phase, steps=9).shortened(0.01).steps == 1


def test_fewer_objects_or_views_than_a_step_takes():
    phase = Phase("p", epochs=2, rgb=1.0, objects_per_step=4, views_per_object=5)
    assert phase.planned(2, 6).steps == 2  # 2 objects with 3 views each: a step sees them all


def test_stated_steps_win_and_scale():
    phase = Phase("p", 30, epochs=5, rgb=1.0)
    assert phase.planned(8, 100) is phase
    assert phase.planned(8, 100, 0.5).steps == 15
    assert phase.planned(8, 100, 1e-6).steps == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": -1},
        {"objects_per_step": 0},
        {"views_per_object": 0},
        {"latent": 0.0, "rgb": 0.0},
        {"gradient_norm": -1.0},
    ],
)
def test_settings_without_meaning(changes):
    with pytest.raises(ConfigError, match="phase 'odd'") as caught:
        Phase(**{"name": "odd", "steps": 5, "latent": 1.0, **changes})
    assert "\n" not in str(caught.value)


def test_a_phase_trains_the_encoder_only_with_a_rate():
    assert Phase("p", 1, rgb=1.0, encoder_rate=1e-4).trains_encoder
    assert not Phase("p", 1, rgb=1.0, autoencoder=0.1).trains_encoder


def test_few_objects_get_more_views_and_rays_a_step():
    phase = Phase("rays", steps=1, rgb=1.0, objects_per_step=8, views_per_object=2, rays_per_object=512)
    assert [phase.views_of_a_step(count) for count in (1, 3, 8, 100)] == [16, 4, 2, 2]
    assert [phase.rays_of_a_step(count) for count in (1, 3, 8, 100)] == [4096, 1024, 512, 512]
