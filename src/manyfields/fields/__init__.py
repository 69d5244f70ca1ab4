"""What an object is: families of fields that many objects share."""

from manyfields.fields.codes import Codes
from manyfields.fields.families import family_config, family_from_config
from manyfields.fields.fused_planes import FusedPlanes, FusedPlanesConfig, PlaneField, harmonics
from manyfields.fields.plane_features import plane_features
from manyfields.fields.samples import Field, Samples

__all__ = [
    "Codes",
    "Field",
    "FusedPlanes",
    "FusedPlanesConfig",
    "PlaneField",
    "Samples",
    "family_config",
    "family_from_config",
    "harmonics",
    "plane_features",
]
