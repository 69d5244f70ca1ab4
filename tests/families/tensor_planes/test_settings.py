"""Settings of tensor fields: sizes of grids, and one phase."""

from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.settings import GUIDE_SIDE, PRESETS, TensorSettings


def test_sizes_are_those_of_the_settings():
    paper = PRESETS["tensorf-paper"]
    assert paper.config().products == 144 and paper.sides[-1] == paper.last == 300
    assert PRESETS["tensorf"].config().guide_side == PRESETS["tensorf"].hull
    assert replace(paper, hull=0).config().guide_side == GUIDE_SIDE


def test_the_schedule_is_that_of_one_phase():
    (phase,) = TensorSettings().stage1
    with pytest.raises(ConfigError, match="tensorf: its schedule is that of one phase"):
        replace(PRESETS["tensorf"], stage1=(phase, replace(phase, name="more")))
