"""What this machine does in a second at best, measured: the other side of the floor.

Best of several rounds, because a machine is never faster than it is.
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as functional

from benchmarks.floor.parts import CORNERS, H100, H200, Machine

SIDE = 1536  # of the square matrices that are multiplied
COPIED = 2**28  # bytes, far more than any cache holds
ROW = 32  # numbers in a row of planes: 128 bytes
ROWS = 8 * 3 * 64 * 64  # planes of eight objects, 12.6 MB: more than a second-level cache holds
READ = 2**17  # points that are gathered in a round


def measured_cpu(threads: int) -> Machine:
    """Peaks of this CPU with so many threads; the setting of threads is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _measured(f"CPU, {threads} thread{'s' if threads > 1 else ''}", torch.device("cpu"))
    finally:
        torch.set_num_threads(before)


def measured_cuda() -> Machine:
    """Peaks of the GPU; its products of float32 in tf32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        return _measured(torch.cuda.get_device_name(), torch.device("cuda"))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def datasheet(name: str) -> Machine:
    """The constants for a GPU by its name, the H200's for those that are neither."""
    return H100 if "H100" in name else H200


def short_name(device: torch.device) -> str:
    """What rows of a device begin with: h200, h100, or the words of its name."""
    if device.type == "cpu":
        return "cpu"
    name = torch.cuda.get_device_name(device)
    known = [word for word in ("H200", "H100") if word in name]
    return (known or ["_".join(name.split()[-2:])])[0].lower().replace("-", "_")


def _measured(name: str, device: torch.device) -> Machine:
    side = SIDE if device.type == "cpu" else 4 * SIDE
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    products = 2.0 * side**3 / best(lambda: a @ b, device)
    c, d = a.bfloat16(), b.bfloat16()
    halves = 2.0 * side**3 / best(lambda: c @ d, device, rounds=3)
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    memory = 2.0 * COPIED / best(lambda: target.copy_(source), device)
    points = READ if device.type == "cpu" else 16 * READ
    table = torch.ones(ROWS, ROW, device=device)
    rows = torch.randint(ROWS, (points, CORNERS), device=device)
    gathered = best(lambda: functional.embedding_bag(rows, table, mode="sum"), device)
    # Vector units of a CPU do both kinds of operations; those of a GPU are rated apart from its tensor cores.
    others = products if device.type == "cpu" else datasheet(name).others
    return Machine(name, products, others, halves, memory, 4.0 * ROW * CORNERS * points / gathered)


def best(work: Callable[[], object], device: torch.device, rounds: int = 7) -> float:
    """Seconds of the fastest of several rounds, after one that warms up."""
    seconds = []
    for _ in range(rounds + 1):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
