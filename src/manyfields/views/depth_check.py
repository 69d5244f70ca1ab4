"""Whether depth images can be read, and tell of the same object as the images."""

import numpy as np

from manyfields.errors import ViewError
from manyfields.views.types import ObjectViews, Problem, ViewSet

DISAGREE = 0.05  # share of the silhouette that depth may lie outside of, or leave open (a part of it may be glass)
OPAQUE = 250  # alpha, of 255, of pixels that an edge does not pass through


def depth_problems(views: ViewSet) -> list[Problem]:
    """Remarks, at most two an object. Decodes every depth image, and the images that go with them."""
    problems = []
    for item in views:
        if item.depth_files:
            problems += [Problem(item.id, None, "depth", message, False) for message in _of_object(item)]
    return problems


def _of_object(item: ObjectViews) -> list[str]:
    unreadable, contrary = [], []
    for index, file in enumerate(item.depth_files):
        if file is None:
            continue
        try:
            depths = item.depths([index])
        except ViewError as error:
            unreadable.append(str(error.__cause__))
            continue
        assert depths is not None
        message = _contradiction(item, index, depths[0])
        if message:
            contrary.append(f"view {item.names[index]}: {message}")
    total = len(item)
    messages = []
    if unreadable:
        messages.append(f"{len(unreadable)} of {total} depth images cannot be used; the first: {unreadable[0]}")
    if contrary:
        messages.append(f"{len(contrary)} of {total} depth images contradict the images; the first: {contrary[0]}")
    return messages


def _contradiction(item: ObjectViews, index: int, depth: np.ndarray) -> str | None:
    try:
        alpha = item.images([index])[0, ..., 3]
    except ViewError:
        return None  # reported with the images
    if (alpha == 255).all():
        return None  # a photograph: its alpha says nothing
    inside = alpha >= OPAQUE
    outside = (depth > 0) & (alpha == 0)
    missing = (depth == 0) & inside
    whole = max(1, int(inside.sum()))
    if outside.sum() > DISAGREE * whole:
        return f"{int(outside.sum())} pixels have a depth where the image is transparent"
    if missing.sum() > DISAGREE * whole:
        return f"{int(missing.sum())} pixels have no depth where the image is opaque"
    return None
