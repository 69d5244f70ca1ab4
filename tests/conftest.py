"""Fixtures for all tests. Data outside the repository is found through MANYFIELDS_SHARED and skipped where absent."""

import importlib.util
import os
import re
import sys
from pathlib import Path

import jaxtyping
import pytest

PACKAGE = Path(importlib.util.find_spec("manyfields").origin).parent


def _checked_modules() -> list[str]:
    """Modules with shapes in their signatures, but for those with code that numba or Triton compiles."""
    compiled = re.compile(r"^@(?:numba\.|triton\.)?(?:njit|jit|intrinsic|kernel)\b", re.MULTILINE)
    found = []
    for file in PACKAGE.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        if "from jaxtyping import" in source and not compiled.search(source):
            found.append(".".join(["manyfields", *file.relative_to(PACKAGE).with_suffix("").parts]))
    return found


def _load(name: str):
    """A file beside this one as the module `manyfields_test<name>`."""
    spec = importlib.util.spec_from_file_location(f"manyfields_test{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# Every shape that a signature states is checked while tests run.
jaxtyping.install_import_hook(_checked_modules(), f"{_load('_shape_checks').__name__}.check_shapes")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that stands beside a developer's checkout."""
    folder = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (set MANYFIELDS_SHARED)")
    return folder


@pytest.fixture
def unchecked_shapes():
    """For tests that give wrong shapes to what says itself what is wrong with them."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(scope="session")
def shapes():
    """The module `_shapes.py`: views of boxes and balls with exact ground truth."""
    return _load("_shapes")


@pytest.fixture(scope="session")
def octrees():
    """The module `_octrees.py`: tiny octree objects, and collections of them."""
    return _load("_octrees")


@pytest.fixture(scope="session")
def tensors():
    """The module `_tensors.py`: tiny tensor fields."""
    return _load("_tensors")


@pytest.fixture(scope="session")
def pyramids():
    """The module `_pyramids.py`: tiny scenes by pyramids of latents."""
    return _load("_pyramids")


@pytest.fixture(scope="session")
def scenes():
    """The module `_scenes.py`: tiny scenes in transform coding."""
    return _load("_scenes")


@pytest.fixture(scope="session")
def micros():
    """The module `_micros.py`: tiny fused planes, and a codec of transform coding for them."""
    return _load("_micros")


@pytest.fixture(scope="session")
def factors():
    """The module `_factors.py`: tiny factor fields."""
    return _load("_factors")
