"""Benchmarks say how to run them, folders which rows they write, and that for GPUs needs what a GPU machine has."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import manyfields

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = [file for file in sorted(BENCHMARKS.rglob("*.py")) if 'if __name__ == "__main__"' in file.read_text()]
# What a machine for training networks may lack. Numba's kernels are for CPUs, the others for files and for terminals.
ABSENT = (
    "PIL",
    "numba",
    "llvmlite",
    "pyarrow",
    "tyro",
    "rich",
    "google_crc32c",
    "diffusers",
    "torchmetrics",
    "vtkmodules",
)


def run(*words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(Path(manyfields.__file__).parents[1])}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, cwd=ROOT)


def module_of(script: Path) -> str:
    return ".".join(script.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")


@pytest.mark.parametrize("script", SCRIPTS, ids=module_of)
def test_a_benchmark_and_its_folder_say_how_to_run_it(script):
    command = re.compile(rf"python -m {re.escape(module_of(script))}(?=[ `\n])")
    assert command.search(ast.get_docstring(ast.parse(script.read_text())))
    assert command.search((script.parent / "README.md").read_text())


def test_readmes_say_where_rows_come_from():
    readmes = "".join(file.read_text() for file in BENCHMARKS.glob("*/README.md"))
    missing = [file.name for file in (BENCHMARKS / "results").glob("*.json") if f"results/{file.name}" not in readmes]
    assert not missing, f"no README of a folder of benchmarks says which command writes {', '.join(missing)}"
    index = (BENCHMARKS / "README.md").read_text()
    assert all(f"]({file.parent.name}/README.md)" in index for file in BENCHMARKS.glob("*/README.md"))


@pytest.mark.parametrize("name", ["floor.stage2", "speed", "gpu", "speed.busy_machine"])
def test_help_says_how_to_run_it(name):
    done = run("-m", f"benchmarks.{name}", "--help")
    assert done.returncode == 0, done.stderr
    assert f"python -m benchmarks.{name}" in done.stdout


def test_an_unknown_part_lists_the_known_ones():
    done = run("-m", "benchmarks.speed", "kernel", "--draft")
    assert done.returncode == 2 and "kernels" in done.stderr


def test_flags_and_rows_load_no_torch():
    """`speed` and `busy_machine` choose threads first, by variables that torch reads when it is loaded."""
    done = run("-c", "import sys, benchmarks.rows, benchmarks.speed.busy_machine; assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_the_gpu_benchmark_loads_without_what_only_a_desk_has():
    lacking = f"import sys\nfor name in {ABSENT!r}: sys.modules[name] = None\n"
    done = run("-c", f"{lacking}from benchmarks.gpu import __main__, data, rows")
    assert done.returncode == 0, done.stderr
