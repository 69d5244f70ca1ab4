"""Settings of factor fields: sizes of grids, and one phase."""

from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.families.factor_fields.settings import GUIDE_SIDE, PRESETS, FactorSettings


def test_sizes_are_those_of_the_settings():
    paper = PRESETS["factor-fields-paper"]
    assert replace(paper, waveform="triangle").config() == replace(paper.config(), wave="triangle")
    assert (paper.wave, replace(paper, wave=3).config().wave) == (1, "sawtooth")
    assert replace(paper, hull=0).config().guide_side == GUIDE_SIDE


def test_the_schedule_is_that_of_one_phase():
    (phase,) = FactorSettings().stage1
    with pytest.raises(ConfigError, match="factor-fields: its schedule is that of one phase"):
        replace(PRESETS["factor-fields"], stage1=(phase, replace(phase, name="more")))
