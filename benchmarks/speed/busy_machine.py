"""Fitting beside a busy process: how much slower it gets. `fit.busy_machine.*` in benchmarks/results/busy_machine.json.

    python -m benchmarks.speed.busy_machine [--work W] [--pairs 3] [--seconds 4]

Four vehicles of the built-in inventory, 60 views each, as in `manyfields demo`, are fitted by the phases of the default
preset's first stage on two cores; each fit in a process of its own, alone and beside a process that never rests, in
turns. Figures are medians over the pairs. The machine has to be quiet otherwise: what others disturb, by more than a
twentieth of a core, is measured again.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import add_flags, keep, parse

OBJECTS, VIEWS, SIZE = 4, 60, 128
CORES = 2
WARM_UP = 15  # steps
OTHERS = 0.05
TRIES = 4
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench-work"), help="where views are kept")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each phase")
    parser.add_argument("--one", type=int, metavar="THREADS", help="measure in this process, and print what was found")
    parser.add_argument("--beside", type=int, metavar="PID", help="the busy process beside it")
    add_flags(parser, "busy_machine")
    given = parse(parser)
    views = given.work.resolve() / "busy-views"
    if given.one is not None:
        print(json.dumps(steps_per_second(views, given.one, given.seconds, given.beside)))
        return
    render(given.work.resolve() / "busy-meshes", views)
    for threads in (CORES, 1):
        words = [sys.executable, "-m", __spec__.name, "--work", str(given.work), "--seconds", str(given.seconds)]
        words += ["--draft"] if given.draft else []
        keep(given, rows_of([pair([*words, "--one", str(threads)]) for _ in range(given.pairs)], threads))


def render(meshes: Path, views: Path) -> None:
    from manyfields.views.inventory import make_inventory
    from manyfields.views.render_set import render_set

    make_inventory(meshes, "vehicle", OBJECTS, 0)
    render_set(meshes, views, views=VIEWS, size=SIZE, seed=0, depth=False)


def pair(words: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Steps a second of each phase, alone and beside a busy process."""
    return measured(words, beside=False), measured(words, beside=True)


def measured(words: list[str], beside: bool) -> dict[str, float]:
    """One fit on the first cores that this process may use; again where others disturbed it."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    chosen = ["taskset", "-c", ",".join(map(str, cores))]
    for _ in range(TRIES):
        busy = subprocess.Popen([*chosen, sys.executable, "-c", "while True: pass"]) if beside else None
        try:
            more = [] if busy is None else ["--beside", str(busy.pid)]
            done = subprocess.run([*chosen, *words, *more], stdout=subprocess.PIPE, text=True, check=True)
        finally:
            if busy is not None:
                busy.kill()
                busy.wait()
        found = json.loads(done.stdout.splitlines()[-1])
        others = found.pop("others")
        if others < OTHERS:
            return found
        print(f"others took {others:.2f} cores: again", flush=True)
    raise SystemExit(f"others keep this machine busy ({others:.2f} cores): nothing measured")


def rows_of(pairs: list[tuple[dict[str, float], dict[str, float]]], threads: int) -> list:
    from manyfields.evaluation.record import new_record

    prefix = "fit.busy_machine" if threads > 1 else "fit.busy_machine.one_thread"
    note = f"{OBJECTS} vehicles of the inventory, {threads} threads, {CORES} cores, median of {len(pairs)} pairs"
    slower = {phase: median(alone[phase] / busy[phase] for alone, busy in pairs) for phase in pairs[0][0]}
    whole = median(total(busy) / total(alone) for alone, busy in pairs)
    rows = [new_record(f"{prefix}.slowdown", whole, "x", f"{note}; as many steps of each of {', '.join(slower)}")]
    return rows + [new_record(f"{prefix}.slowdown_{phase}", slower[phase], "x", note) for phase in slower]


def total(found: dict[str, float]) -> float:
    """Seconds of a step of each phase."""
    return sum(1.0 / rate for rate in found.values())


def steps_per_second(views: Path, threads: int, seconds: float, beside: int | None) -> dict[str, float]:
    """Of each phase, for a while; and the cores that others kept busy meanwhile, but for the process `beside` it."""
    from manyfields.cores import use_threads

    use_threads(threads)
    import torch

    from manyfields.families.registry import new_fitter, new_shared
    from manyfields.fitting.data import FittingData
    from manyfields.memory import keep_freed_memory
    from manyfields.runs import RunRecord
    from manyfields.runs.settings import chosen_settings, read_config
    from manyfields.runs.sources.loading import load_objects
    from manyfields.views import read_views

    keep_freed_memory()
    settings, found = chosen_settings(None, read_config(None), {}, None), read_views(views)
    trained = {each: {"trained": VIEWS} for each in found.ids}
    record = RunRecord(settings, [str(views)], (SIZE, SIZE), found.ids, [], trained)
    objects = load_objects(found.objects, record)
    data = FittingData(objects, torch.device("cpu"))
    fitter = new_fitter(settings, new_shared(settings, objects), data, average=False)
    rates, others, wall = {}, 0.0, 0.0
    for phase in settings.stage1:
        planned, step = phase.planned(len(data), data.views, 1.0), 0
        fitter.begin(planned)
        while step < WARM_UP:
            fitter.step(planned, step)
            step += 1
        began, before = time.perf_counter(), busy_seconds(beside)
        while (spent := time.perf_counter() - began) < seconds:
            fitter.step(planned, step)
            step += 1
        rates[phase.name] = (step - WARM_UP) / spent
        others, wall = others + busy_seconds(beside) - before, wall + spent
    return {**rates, "others": others / wall}


def busy_seconds(beside: int | None) -> float:
    """Time that all cores together were busy since the machine started, but for this process and one `beside` it."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    ours = time.process_time()
    if beside is not None:
        ours += sum(map(int, Path(f"/proc/{beside}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / TICKS
    return (user + nice + system + sum(interrupts)) / TICKS - ours


if __name__ == "__main__":
    main()
