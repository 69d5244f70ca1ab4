"""Fixtures for all tests. Data outside the repository is found through MANYFIELDS_SHARED and skipped where absent."""

import importlib.util
import itertools
import os
import random
import re
import sys
from pathlib import Path

import hypothesis
import jaxtyping
import numpy as np
import pytest
import torch

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
importlib.import_module("manyfields.runs")  # first: families and runs still import one another

# Of fits of octrees, whatever test they belong to.
_growing = pytest.MonkeyPatch()

# Fixtures that tests in several folders use.
_FIXTURE = type(pytest.fixture(lambda: None))
for _name in ("_fits", "_runs"):
    globals().update({key: value for key, value in vars(_load(_name)).items() if isinstance(value, _FIXTURE)})

# No example has a time to keep, and the same ones are tried in every run.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


def pytest_addoption(parser):
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run files, and the tests in each, in a random order")


def pytest_collection_modifyitems(config, items):
    """A random order shows tests that need others before them, or not before them."""
    if (seed := config.getoption("--shuffle")) is None:
        return
    draw = random.Random(seed)
    places: dict[Path, float] = {}
    keys = {item: (places.setdefault(item.path, draw.random()), draw.random()) for item in items}
    items.sort(key=keys.__getitem__)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    _as_in_a_new_process()
    place = item.path.relative_to(Path(__file__).parent).as_posix()
    if place.startswith("runs/") or place in ("families/octree/test_fit.py", "families/octree/test_coding.py"):
        sys.modules["manyfields_test_runs"].grow_octrees_shortly(_growing)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    _growing.undo()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    _as_in_a_new_process()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    _draw_anew()


def _as_in_a_new_process() -> None:
    """Sums in one order whatever the number of cores, and the same draws whatever ran before."""
    torch.set_num_threads(1)
    _draw_anew()


def _draw_anew() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that stands beside a developer's checkout."""
    folder = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (set MANYFIELDS_SHARED)")
    return folder


@pytest.fixture
def steady_pilots(monkeypatch):
    """Every step of a pilot takes a hundredth of a second, and all else nothing: minutes become the same steps on every
    machine, but for what reading has taken before."""
    from manyfields.runs import plan, trainer
    from manyfields.runs.sources.costs import Costs
    from manyfields.runs.sources.instances import Instances
    from manyfields.runs.sources.posed_views import PosedViews

    adding = sys.modules["manyfields.runs.add"]  # its name in the package is that of its function

    def steady(make_fitter, phases, steps=12, clock=None):
        ticks = itertools.count()
        return trainer.seconds_per_step(make_fitter, phases, steps, lambda: next(ticks) / 100)

    for module in (adding, plan):
        monkeypatch.setattr(module, "seconds_per_step", steady)
    for source in (Instances, PosedViews):
        monkeypatch.setattr(source, "costs", lambda *given: Costs(0.0, 0.0, 0.0, 0.0, levels=1))


@pytest.fixture
def unchecked_shapes():
    """For tests that give wrong shapes to what says itself what is wrong with them."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(scope="session")
def architecture():
    """The module `_architecture.py`: what the sources of the package look like."""
    return _load("_architecture")


@pytest.fixture(scope="session")
def lists():
    """The module `_architecture_lists.py`: what stands outside of a rule, and why."""
    return _load("_architecture_lists")


@pytest.fixture(scope="session")
def examples():
    """The module `_examples.py`: the folder that examples in docstrings run in."""
    return _load("_examples")


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


@pytest.fixture(scope="session")
def twelve():
    """The module `_twelve.py`: twelve objects of tiny fused planes with hulls."""
    return _load("_twelve")
