"""Numbers and places that users give are judged before any work."""

import dataclasses
import math
import os
from pathlib import Path

import numpy as np
import pytest

from manyfields._checks import COUNT, POSITIVE, SEED, SHARE, Bounds, check_new_file, check_new_folder
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.field import FactorConfig
from manyfields.families.factor_fields.settings import FactorSettings
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.latents.settings import SetSettings
from manyfields.families.fused_planes.settings import FusedPlanesSettings
from manyfields.families.mixture.adaptation import AdaptationSettings
from manyfields.families.mixture.config import MixtureConfig
from manyfields.families.mixture.settings import ImageSettings, SceneMixtureSettings
from manyfields.families.octree.codebooks.indices import IndexOptions
from manyfields.families.octree.field import OctreeConfig
from manyfields.families.octree.settings import OctreeSettings
from manyfields.families.tensor_planes.baselines.vq_planes import VqSplit
from manyfields.families.tensor_planes.field import TensorConfig
from manyfields.families.tensor_planes.pyramid.settings import PyramidSettings
from manyfields.families.tensor_planes.settings import TensorSettings
from manyfields.fitting.phases import Phase
from manyfields.fitting.transform.settings import TransformSettings
from manyfields.generation import PriorSettings
from manyfields.shapes.field import DistanceConfig
from manyfields.shapes.fitter import DistanceSettings

STORED = [
    FusedPlanesSettings(),
    Phase("rays", rgb=1.0),
    FusedPlanesConfig(),
    OctreeConfig(),
    OctreeSettings(),
    TensorConfig(),
    TensorSettings(),
    FactorConfig(),
    FactorSettings(),
    MixtureConfig(),
    AdaptationSettings(),
    SceneMixtureSettings(),
    ImageSettings(),
    DistanceConfig(),
    DistanceSettings(),
    IndexOptions(6, 0.0, 0.0),
    PriorSettings(),
    SetSettings(),
    PyramidSettings(),
    TransformSettings(),
    VqSplit(),
]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("settings", STORED, ids=lambda settings: type(settings).__name__)
def test_no_stored_setting_is_infinite_or_no_number(settings, value):
    floats = [each.name for each in dataclasses.fields(settings) if isinstance(getattr(settings, each.name), float)]
    assert floats or isinstance(settings, OctreeConfig)
    for name in floats:
        with pytest.raises(ConfigError):
            dataclasses.replace(settings, **{name: value})


@pytest.mark.parametrize("name", ["rgb", "codes_rate", "epochs", "smoothness", "gradient_norm", "coarse_share"])
def test_phases_have_no_numbers_below_0(name):
    with pytest.raises(ConfigError, match=f"phase 'rays': {name}: a number"):
        Phase("rays", **{"rgb": 1.0, name: -0.5})


def test_bounds_say_what_they_are():
    for bounds, value, words in (
        (POSITIVE, 0.0, "minutes: a number above 0, not 0.0"),
        (POSITIVE, math.nan, "minutes: a number above 0, not nan"),
        (COUNT, -1, "minutes: a number of at least 1, not -1"),
        (SHARE, 1.0, "minutes: a number of at least 0 and below 1, not 1.0"),
        (Bounds(least=0, most=1), 2.0, "minutes: a number from 0 to 1, not 2.0"),
        (SEED, 2**63, f"minutes: a number of at least 0, not {2**63}"),
        (Bounds(), math.inf, "minutes: a number, not inf"),
        (COUNT, True, "minutes: a number of at least 1, not True"),
    ):
        with pytest.raises(ConfigError) as caught:
            bounds.check("minutes", value)
        assert str(caught.value) == words
    POSITIVE.check("minutes", 1e-9)
    POSITIVE.check("minutes", None)
    COUNT.check("count", np.int64(3))
    POSITIVE.check("minutes", np.float32(0.5))
    with pytest.raises(ConfigError, match="values: a number above 0, not nan"):
        POSITIVE.check("values", (0.1, math.nan))


def test_places_that_cannot_be_written(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    for place, words in (
        (file, "is a file; name a folder"),
        (file / "run" / "deeper", f"{file} is a file; name another folder"),
    ):
        with pytest.raises(ConfigError, match=words):
            check_new_folder(place)
    with pytest.raises(ConfigError, match="is a folder; name a file"):
        check_new_file(tmp_path)
    with pytest.raises(ConfigError, match="is what is read, too"):
        check_new_folder(tmp_path / "x" / "..", tmp_path)
    with pytest.raises(ConfigError, match="is what is read, too; name another file"):
        check_new_file(file, tmp_path / "x", file)
    check_new_folder(tmp_path / "new" / "deeper", tmp_path)
    check_new_file(tmp_path / "new" / "picture.png")
    assert not (tmp_path / "new").exists()
    # As on a read-only file system, which also root cannot write to.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be written to"):
        check_new_folder(tmp_path / "new")
