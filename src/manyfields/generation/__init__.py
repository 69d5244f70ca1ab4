"""Priors: distributions over the codes of a set, to draw new objects from.

codes ──► parts whose means are objects ──► coordinates in a linear space ──► diffusion, Gaussian, neighbours
                                                                                    │
new objects ◄── codes ◄── parts ◄──────────────────────────────────────── drawn coordinates
"""

from manyfields.families.parts import CodeParts, ObjectParts
from manyfields.families.registry import parts_of
from manyfields.generation.learning import PriorLearner
from manyfields.generation.linear_space import LinearSpace
from manyfields.generation.neighbours import bilinear_grid
from manyfields.generation.prior import WAYS, Prior, classes_of, read_prior
from manyfields.generation.settings import PriorSettings

__all__ = [
    "WAYS",
    "CodeParts",
    "LinearSpace",
    "ObjectParts",
    "Prior",
    "PriorLearner",
    "PriorSettings",
    "bilinear_grid",
    "classes_of",
    "parts_of",
    "read_prior",
]
