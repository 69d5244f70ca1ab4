"""Posed images of many objects: reading, checking, splitting and rendering them.

Names load their modules when first used, so that importing one light part (say, in a rendering worker) does not
import them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyfields.views.check import check_views, usable_views
    from manyfields.views.images import composite
    from manyfields.views.readers import read_views
    from manyfields.views.split import hold_out
    from manyfields.views.types import ObjectViews, Problem, ViewSet

__all__ = [
    "ObjectViews",
    "Problem",
    "ViewSet",
    "check_views",
    "composite",
    "hold_out",
    "read_views",
    "usable_views",
]

_MODULES = {
    "ObjectViews": "types",
    "Problem": "types",
    "ViewSet": "types",
    "check_views": "check",
    "composite": "images",
    "hold_out": "split",
    "read_views": "readers",
    "usable_views": "check",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
