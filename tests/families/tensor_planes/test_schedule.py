import pytest

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.schedule import TensorSchedule


def test_the_defaults_are_the_steps_of_the_paper():
    schedule, steps = TensorSchedule(), 30_000
    changes = {index: schedule.side_at(index, steps) for index in range(steps) if schedule.side_at(index, steps)}
    assert list(changes) == [2000, 3000, 4000, 5500, 7000]
    assert list(changes.values())[-1] == 300
    ratios = [b / a for a, b in zip([128, *changes.values()], changes.values(), strict=False)]
    assert ratios == pytest.approx([(300 / 128) ** 0.2] * 5, rel=0.01)
    assert [index for index in range(steps) if schedule.masks_at(index, steps)] == [2000, 4000]
    assert [schedule.sparsity_at(index, steps) for index in (0, 1999, 2000, 29_999)] == [8e-5, 8e-5, 4e-5, 4e-5]


def test_nothing_happens_before_the_first_step_of_a_short_phase():
    schedule = TensorSchedule(upsample_at=(0.01, 0.02), first=4, last=16)
    assert schedule.side_at(0, 10) is None
    assert schedule.side_at(1, 10) == 16  # both at once: the larger side
    assert [schedule.side_at(index, 10) for index in range(2, 10)] == [None] * 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": 1}, "grids of 1 to 300 texels"),
        ({"last": 64}, "grids of 128 to 64 texels"),
        ({"mask_at": (0.5, 1.5)}, "mask_at .* between 0 and 1"),
        ({"sparsity": -1.0}, "must not be below 0"),
    ],
)
def test_schedules_without_meaning_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        TensorSchedule(**change)
