"""Rays through a field to features, opacity and depth."""

from manyfields.rendering.fused import densities
from manyfields.rendering.guide import guide_of
from manyfields.rendering.importance import (
    basis_importance,
    importance_pictures,
    importance_scores,
    importance_weights,
)
from manyfields.rendering.occupancy import Occupancy
from manyfields.rendering.render import Rendering, color_error, render
from manyfields.rendering.sampling import Sampler

__all__ = [
    "Occupancy",
    "Rendering",
    "Sampler",
    "basis_importance",
    "color_error",
    "densities",
    "guide_of",
    "importance_pictures",
    "importance_scores",
    "importance_weights",
    "render",
]
