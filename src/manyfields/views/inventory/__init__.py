"""Procedural meshes: classes of objects with real variety, made from a seed, free of anyone's rights.

Each kind has a file; `shapes.py` holds the primitives, `looks.py` colours and patterns, `model.py` the way to GLB.
"""

from manyfields.views.inventory.making import KINDS, make_inventory

__all__ = ["KINDS", "make_inventory"]
