"""How the latents of a set are learned."""

import pytest

from manyfields.errors import ConfigError
from manyfields.families.fused_planes.latents.settings import SetSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": -1.0}, "lambda: a number of at least 0, not -1.0"),
        ({"steps": -1}, "steps: a number of at least 0, not -1"),
        ({"visits": 0}, "visits 0"),
        ({"rays": 0}, "rays 0"),
        ({"levels": 1}, "levels 1: from 2 to 6"),
        ({"levels": 7}, "levels 7: from 2 to 6"),
        ({"rate": 0.0}, "rates must be above 0"),
        ({"pyramid_rate": -1.0}, "rates must be above 0"),
        ({"last_rate": 0.0}, "rates must be above 0"),
    ],
)
def test_settings_without_meaning(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        SetSettings(**changes)
    assert "\n" not in str(caught.value)


def test_rates_decay_to_a_share_that_is_left():
    settings = SetSettings(last_rate=0.1)
    assert [settings.decay(step, 100) for step in (0, 50, 99)] == [1.0, 0.5, 0.1]
