"""Rays through a field to features, opacity and depth."""

from manyfields.rendering.render import Rendering, render
from manyfields.rendering.sampling import Sampler

__all__ = ["Rendering", "Sampler", "render"]
