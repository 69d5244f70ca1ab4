"""The kinds of data that objects are fitted to, by name."""

from typing import Any

from manyfields.fitting.settings import FitSettings
from manyfields.runs.sources.instances import Instances, image_picture, voxel_picture
from manyfields.runs.sources.posed_views import PosedViews
from manyfields.runs.sources.source import Source
from manyfields.views.instances import read_images
from manyfields.views.voxels import read_voxels

SOURCES: dict[str, Source[Any, Any]] = {
    "scenes": PosedViews(),
    "images": Instances(read_images, image_picture, "an image of {side}×{side} pixels"),
    "voxels": Instances(read_voxels, voxel_picture, "{side}³ voxels"),
}


def source_of(settings: FitSettings) -> Source[Any, Any]:
    """Where the objects of a run come from: the settings of its family say."""
    return SOURCES[settings.source]
