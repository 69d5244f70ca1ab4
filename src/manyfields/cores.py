"""How many cores this process may use, and how threads wait for each other."""

import math
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from manyfields._checks import THREADS

WAITING = {
    # How often a thread of libgomp (PyTorch's on Linux, and numba's) looks for work before it sleeps. Its own choice
    # lasts for milliseconds; who waits so long beside another process has had its share of the core when work comes.
    # Sleeping at once costs a quiet machine speed: waking takes as long as a small operation of PyTorch.
    "GOMP_SPINCOUNT": "5000",
    "KMP_BLOCKTIME": "0",  # of LLVM's and Intel's, in milliseconds; their own choice is 200
    "OPENBLAS_THREAD_TIMEOUT": "16",  # of numpy's and SciPy's, in powers of two of cycles; their own choice is 26
}


def available_cores(root: Path = Path("/")) -> int:
    """Cores that this process may keep busy: those it may run on, within the limit of its cgroups (v1 or v2).

    A limit of a part of a core counts as one more. `root`: where the file systems proc and sys are found.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(limit) for limit in _limits(root))]))


def chosen_threads() -> int:
    """Threads that work of this process is spread over: PyTorch's where it is loaded, else those that it will take."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):  # else it is being loaded just now
        return torch.get_num_threads()
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(named) if named.isdecimal() and int(named) > 0 else available_cores()


def use_threads(count: int) -> None:
    """Let all work of this process take so many threads. Raises ConfigError for less than one, or thousands."""
    THREADS.check("threads", count)
    if "numpy" not in sys.modules:  # its BLAS reads this once
        os.environ["OPENBLAS_NUM_THREADS"] = str(count)
    first = "torch" not in sys.modules
    import torch

    torch.set_num_threads(count)
    if first:  # can be set once, and before the first use
        torch.set_num_interop_threads(count)


def set_up_threads(environment: MutableMapping[str, str] = os.environ, root: Path = Path("/")) -> None:
    """Say by the environment, before PyTorch and numba read it, what they do not see themselves.

    That threads without work shall sleep, and the limit of the cgroup. What a user has set stays.
    """
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in WAITING.items():
            environment.setdefault(name, value)
    limits = [math.ceil(limit) for limit in _limits(root)]
    if limits and min(limits) < available_cores(Path(os.devnull)):
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
            environment.setdefault(name, str(max(1, min(limits))))


def _limits(root: Path) -> list[float]:
    """Cores' worth of time that each cgroup above this process allows; none where nothing is limited."""
    found = []
    for folder in _cgroups(root):
        quota = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(quota) == 2 and all(word.isdecimal() and int(word) > 0 for word in quota):
            found.append(int(quota[0]) / int(quota[1]))
    return found


def _cgroups(root: Path) -> list[Path]:
    """Folders of the cgroups that rule this process's time, and of all above them."""
    groups = root / "proc" / "self" / "cgroup"
    folders: list[Path] = []
    for line in groups.read_text().splitlines() if groups.is_file() else []:
        number, kinds, path = line.split(":", 2)
        mounts = ["", "unified"] if number == "0" else [kinds, "cpu"] if "cpu" in kinds.split(",") else []
        # Within a container the path may be the host's, of which nothing is seen but the container's own at the top.
        below = Path(path.lstrip("/"))
        folders += [root / "sys/fs/cgroup" / mount / part for mount in mounts for part in (below, *below.parents)]
    return folders


def _words(file: Path) -> list[str]:
    return file.read_text().split() if file.is_file() else []
