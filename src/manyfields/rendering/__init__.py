"""Rays through a field to features, opacity and depth."""

from manyfields.rendering.guide import guide_of
from manyfields.rendering.render import Rendering, render
from manyfields.rendering.sampling import Sampler

__all__ = ["Rendering", "Sampler", "guide_of", "render"]
