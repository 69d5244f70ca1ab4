"""The speed benchmarks explain themselves, and that for GPUs needs no more than a GPU machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import manyfields

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
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
    path = os.pathsep.join([str(Path(manyfields.__file__).parents[1]), str(BENCHMARKS)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("name", ["floor", "speed", "gpu", "busy_machine"])
def test_a_script_says_how_to_run_it(name):
    done = run(str(BENCHMARKS / f"{name}.py"), "--help")
    assert done.returncode == 0, done.stderr
    assert f"python benchmarks/{name}.py" in done.stdout


def test_an_unknown_part_lists_the_known_ones():
    done = run(str(BENCHMARKS / "speed.py"), "kernel")
    assert done.returncode == 2 and "kernels" in done.stderr


def test_the_gpu_benchmark_loads_without_what_only_a_desk_has():
    code = f"import sys\nfor name in {ABSENT!r}: sys.modules[name] = None\nimport gpu, gpu_data, gpu_rows"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
