"""From (kind, seed, index) to GLB files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from manyfields._checks import COUNT, SEED
from manyfields._io import write_atomic
from manyfields.errors import ConfigError
from manyfields.views.inventory.buildings import make_building
from manyfields.views.inventory.furniture import make_furniture
from manyfields.views.inventory.model import Model
from manyfields.views.inventory.plants import make_plant
from manyfields.views.inventory.toys import make_toy
from manyfields.views.inventory.vehicles import make_vehicle
from manyfields.views.inventory.vessels import make_vessel
from manyfields.views.viewpoints import generator_for

KINDS: dict[str, Callable[[np.random.Generator], Model]] = {
    "vehicle": make_vehicle,
    "furniture": make_furniture,
    "vessel": make_vessel,
    "building": make_building,
    "plant": make_plant,
    "toy": make_toy,
}


def object_glb(kind: str, seed: int, index: int) -> bytes:
    """The GLB of one object: y up, front at +z. Depends on its arguments only. Raises ConfigError."""
    if kind not in KINDS:
        raise ConfigError(f"there is no kind {kind!r} of object; make one of {', '.join(KINDS)}")
    return KINDS[kind](generator_for(seed, f"{kind}/{index}")).glb()


def make_inventory(out: Path, kind: str, count: int, seed: int = 0) -> list[Path]:
    """Write OUT/KIND-0000.glb .. and return their paths; other files in OUT are left alone.

    Object i is the same whatever `count` is, so that a larger inventory extends a smaller one. Raises ConfigError.

    >>> [path.name for path in make_inventory(Path("meshes"), "vehicle", 2)]
    ['vehicle-0000.glb', 'vehicle-0001.glb']
    """
    if kind not in KINDS:
        raise ConfigError(f"there is no kind {kind!r} of object; make one of {', '.join(KINDS)}")
    COUNT.check("count", count)
    SEED.check("seed", seed)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: is a file; name a folder to make objects in")
    paths = [out / f"{kind}-{index:04d}.glb" for index in range(count)]
    for index, path in enumerate(paths):
        write_atomic(path, object_glb(kind, seed, index))
    return paths
