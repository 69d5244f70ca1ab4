"""What a field is, and what a family of fields must have; the families themselves are in `manyfields.families`."""

from manyfields.fields.axes import resolution_of
from manyfields.fields.codes import Codes, ObjectCodes
from manyfields.fields.density_first import DensityFirst
from manyfields.fields.directions import harmonics
from manyfields.fields.family import FamilyConfig, FamilyNetwork
from manyfields.fields.field import Field
from manyfields.fields.samples import Samples
from manyfields.fields.scenes import SceneCodes, SceneField, SceneGrids

__all__ = [
    "Codes",
    "DensityFirst",
    "FamilyConfig",
    "FamilyNetwork",
    "Field",
    "ObjectCodes",
    "Samples",
    "SceneCodes",
    "SceneField",
    "SceneGrids",
    "harmonics",
    "resolution_of",
]
