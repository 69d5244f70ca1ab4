"""Scripts of `tools/` are run by hand and seldom: at least all that they import is there."""

import importlib.util
from pathlib import Path

import pytest

TOOLS = sorted((Path(__file__).parents[1] / "tools").glob("*.py"))


@pytest.mark.parametrize("script", TOOLS, ids=lambda path: path.stem)
def test_a_tool_finds_what_it_imports(script):
    spec = importlib.util.spec_from_file_location(f"manyfields_tool_{script.stem}", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)
