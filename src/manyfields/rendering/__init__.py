"""Rays through a field to features, opacity and depth."""

from manyfields.rendering.guide import densities, guide_of
from manyfields.rendering.occupancy import Occupancy
from manyfields.rendering.render import Rendering, color_error, render
from manyfields.rendering.sampling import Sampler
from manyfields.rendering.seen_places import importance_pictures, importance_weights

__all__ = [
    "Occupancy",
    "Rendering",
    "Sampler",
    "color_error",
    "densities",
    "guide_of",
    "importance_pictures",
    "importance_weights",
    "render",
]
