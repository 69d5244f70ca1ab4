"""SIGKILL at random moments: a resumed run ends with the very bytes of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manyfields.runs import RunRecord


def start(data: Path, run: Path, settings: Path, policy: str) -> subprocess.Popen:
    words = ["fit", "fused-planes", str(data), "--out", str(run), "--config", str(settings), "--stage1-objects", "2"]
    words += ["--policy", policy, "--threads", "1", "--no-report"]
    words += ["--resume"] if (run / "run.json").exists() else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "manyfields", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def state_of(run: Path) -> dict[str, int]:
    found = {}
    for path in run.rglob("*"):
        try:
            found[str(path)] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["frozen", "joint"])
def test_killed_at_random_moments(data, settings, tmp_path, hashes, policy):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = start(data, whole, settings, policy)
    assert process.communicate()[1] is not None and process.returncode == 0
    chance = random.Random(policy)
    kills = 0
    while True:
        process = start(data, broken, settings, policy)
        events, wanted, seen = 0, chance.randint(1, 8) if kills < 6 else 10**9, state_of(broken)
        while process.poll() is None and events < wanted:
            time.sleep(0.002)
            now = state_of(broken)
            events += now != seen
            seen = now
        if process.poll() is None:
            time.sleep(chance.random() * 0.05)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, process.communicate()[1]
        break
    assert kills >= 3
    assert hashes(broken) == hashes(whole)
    assert RunRecord.load(broken).held_out == RunRecord.load(whole).held_out
    assert not list(broken.rglob("*.tmp"))
