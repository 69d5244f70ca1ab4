"""What the demo's benchmark says of a curve."""

import pytest

from benchmarks.speed import demo


def point(stage: str, phase: str, psnr: float | None) -> dict:
    return {"stage": stage, "phase": phase, "step": 1} | ({} if psnr is None else {"held_out_psnr": psnr})


CURVES = [
    *(point("stage 1", "rays", psnr) for psnr in (30.0, None, 33.0)),
    *(point("stage 1", "micro", psnr) for psnr in (32.0, 33.5, None)),
    *(point("stage 2.1", "weights", psnr) for psnr in (20.0, 22.0)),
    *(point("stage 2.1", "micro", psnr) for psnr in (30.0, 31.0)),
]


def test_a_fall_is_from_the_end_of_a_phase_to_that_of_the_next_of_its_stage():
    assert demo.ends_of_phases(CURVES)["stage 1"] == {"rays": 33.0, "micro": 33.5}
    assert demo.largest_fall(CURVES) == 0.0  # other objects begin lower, and that is no fall
    fallen = [*CURVES, point("stage 2.1", "last", 30.7)]
    assert demo.largest_fall(fallen) == pytest.approx(0.3)


def test_within_a_stage_a_fall_is_from_the_best_to_what_comes_after():
    assert demo.largest_fall_within(CURVES) == 1.0
    assert demo.largest_fall_within([]) == 0.0
