"""Which cores count, and how threads are told."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import pytest
import torch

from manyfields import compiled, cores
from manyfields.errors import ConfigError

V1 = "3:cpuset:/\n2:cpu,cpuacct:/a/b\n1:memory:/a\n"
CASES = {
    "nothing is known": ({}, 4),
    "no limit (v2)": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 4),
    "v2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
    "part of a core": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
    "less than a core": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "5000 100000\n"}, 1),
    "more than there are": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 4),
    "of a group above": (
        {
            "proc/self/cgroup": "0::/slice/job\n",
            "sys/fs/cgroup/slice/cpu.max": "300000 100000\n",
            "sys/fs/cgroup/slice/job/cpu.max": "max 100000\n",
        },
        3,
    ),
    "a host's path": ({"proc/self/cgroup": "0::/kube/pod\n", "sys/fs/cgroup/cpu.max": "100000 50000\n"}, 2),
    "v1": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        },
        3,
    ),
    "v1 of a container": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        1,
    ),
    "v1 without a limit": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        4,
    ),
}


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_cores_are_those_that_the_process_may_use(four_cores, tmp_path, files, expected):
    write(tmp_path, files)
    assert cores.available_cores(tmp_path) == expected


def test_where_a_system_knows_no_affinity_all_cores_count(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, expected in ((6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert cores.available_cores(tmp_path) == expected


def test_the_environment_says_what_libraries_do_not_see(four_cores, tmp_path):
    free: dict[str, str] = {}
    cores.set_up_threads(free, tmp_path)
    assert free == cores.WAITING
    write(tmp_path, CASES["part of a core"][0])
    limited: dict[str, str] = {}
    cores.set_up_threads(limited, tmp_path)
    assert limited == {**cores.WAITING, "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}


def test_what_a_user_has_set_stays(four_cores, tmp_path):
    write(tmp_path, CASES["part of a core"][0])
    given = {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "7", "NUMBA_NUM_THREADS": "8"}
    kept = dict(given)
    cores.set_up_threads(kept, tmp_path)
    assert kept == given
    cores.set_up_threads(spinning := {"GOMP_SPINCOUNT": "5"}, tmp_path)
    assert spinning["GOMP_SPINCOUNT"] == "5"


def test_importing_the_package_sets_it_up():
    code = "import os, manyfields; print(os.environ['GOMP_SPINCOUNT'], os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    environment = {name: value for name, value in os.environ.items() if name not in (*cores.WAITING, "OMP_WAIT_POLICY")}
    for given, expected in (({}, cores.WAITING["GOMP_SPINCOUNT"]), ({"GOMP_SPINCOUNT": "7"}, "7")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**environment, **given}, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [expected, cores.WAITING["OPENBLAS_THREAD_TIMEOUT"]]


def test_one_thread_is_one_whatever_is_loaded_after_it():
    """numba's pool sets the threads of OpenMP, and so those of PyTorch, when it starts."""
    code = (
        "from manyfields.cores import chosen_threads, use_threads; use_threads(1)\n"
        "import numba, torch\n"
        "from manyfields.compiled import compiled_for\n"
        "for _ in range(2):\n"
        "    assert compiled_for(torch.zeros(1))\n"
        "    print(torch.get_num_threads(), torch.get_num_interop_threads(),"
        " numba.get_num_threads(), chosen_threads())\n"
    )
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "NUMBA_NUM_THREADS": "3"}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1"] * 8, done.stderr


def test_threads_of_another_thread_are_the_same():
    """Views are prepared and objects measured in threads, too."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: (compiled.compiled_for(torch.zeros(1)), numba.get_num_threads())).result() == (
                True,
                1,
            )
    finally:
        torch.set_num_threads(before)


def test_threads_that_work_is_spread_over_are_those_of_torch():
    before = torch.get_num_threads()
    try:
        for count in (1, 3):
            cores.use_threads(count)
            assert cores.chosen_threads() == torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)


def test_before_torch_is_loaded_they_are_those_that_it_will_take(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    for named, expected in (("3", 3), ("2,1", 2), ("", cores.available_cores()), ("0", cores.available_cores())):
        monkeypatch.setenv("OMP_NUM_THREADS", named)
        assert cores.chosen_threads() == expected


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_thread_is_refused(count):
    with pytest.raises(ConfigError, match=f"threads: a number .*, not {count}"):
        cores.use_threads(count)
