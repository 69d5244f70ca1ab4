"""What an object is: families of fields that many objects share."""

from manyfields.fields.codes import Codes
from manyfields.fields.factor_fields import FactorConfig, FactorFamily, FactorField
from manyfields.fields.factor_grids import FactorCodes, FactorGrids
from manyfields.fields.families import Family, ObjectCodes, family_config, family_from_config
from manyfields.fields.fused_planes import FusedPlanes, PlaneField, harmonics
from manyfields.fields.fused_planes_config import FusedPlanesConfig
from manyfields.fields.mixture import MixtureFamily, MixtureField
from manyfields.fields.mixture_config import MixtureConfig
from manyfields.fields.octree import Octree
from manyfields.fields.octree_codes import OctreeCodes, QuantisedLevel, QuantisedOctreeCodes
from manyfields.fields.octree_field import OctreeConfig, OctreeFamily, OctreeField
from manyfields.fields.plane_features import plane_features
from manyfields.fields.samples import Field, Samples
from manyfields.fields.scenes import SceneCodes, SceneField, SceneGrids
from manyfields.fields.tensor_grids import Factors, TensorCodes, TensorGrids, resolution_of
from manyfields.fields.tensorf import TensorConfig, TensorFamily, TensorField

__all__ = [
    "Codes",
    "Family",
    "FactorCodes",
    "FactorConfig",
    "FactorFamily",
    "FactorField",
    "FactorGrids",
    "Factors",
    "Field",
    "FusedPlanes",
    "FusedPlanesConfig",
    "ObjectCodes",
    "MixtureConfig",
    "MixtureFamily",
    "MixtureField",
    "Octree",
    "OctreeCodes",
    "OctreeConfig",
    "OctreeFamily",
    "OctreeField",
    "PlaneField",
    "QuantisedLevel",
    "QuantisedOctreeCodes",
    "Samples",
    "SceneCodes",
    "SceneField",
    "SceneGrids",
    "TensorCodes",
    "TensorConfig",
    "TensorFamily",
    "TensorField",
    "TensorGrids",
    "family_config",
    "family_from_config",
    "harmonics",
    "plane_features",
    "resolution_of",
]
