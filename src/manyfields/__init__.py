"""manyfields: large sets of 3D objects as neural fields that share what they have in common.

    views = manyfields.read_views("data/vehicles")       # posed images of many objects
    run = manyfields.fit("data/vehicles", "runs/vehicles")
    manyfields.add("runs/vehicles", "data/new-arrivals")
    collection = manyfields.open_collection("runs/vehicles")
    image = collection["truck"].render(cameras)

Every name below is loaded on first use, so that `import manyfields` costs milliseconds and imports no torch.
It sets what OpenMP reads from the environment (`manyfields.cores`), unless it is set already.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from manyfields._version import __version__
from manyfields.cores import set_up_threads

if TYPE_CHECKING:
    from manyfields.cameras import Cameras
    from manyfields.collection import open_collection
    from manyfields.collection.streams import read_stream
    from manyfields.runs import add, compress, evaluate, fit
    from manyfields.views import read_views

__all__ = [
    "Cameras",
    "__version__",
    "add",
    "compress",
    "evaluate",
    "fit",
    "open_collection",
    "read_stream",
    "read_views",
]

_HOME = {
    "Cameras": "manyfields.cameras",
    "add": "manyfields.runs",
    "compress": "manyfields.runs",
    "evaluate": "manyfields.runs",
    "fit": "manyfields.runs",
    "open_collection": "manyfields.collection",
    "read_stream": "manyfields.collection.streams",
    "read_views": "manyfields.views",
}

set_up_threads()  # before torch and numba are loaded, which read it once


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'manyfields' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
