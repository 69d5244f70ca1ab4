"""Speed on a CPU, in one run: floors, kernels, rendering, fitting, growth. `make bench` runs it.

    python -m benchmarks.speed [floor] [kernels] [render] [fit] [growth] [--work W] [--threads 2] [--minutes 0.5]

Without names all parts run, about ten minutes. Rows go to benchmarks/results/speed.json, or to `--results`. Views of
vehicles of ../shared (MANYFIELDS_SHARED) are rendered into W/vehicles_128 once; where there are none, procedural ones,
whose rows begin with `inventory.`. The shared part learns from designs of *learn*, new objects are of *report*
(benchmarks/split.py). Everything is fitted anew in each call, so its rows are of one state of the code. Quote ratios
within one run: machines differ.
"""

import argparse
import os
from pathlib import Path

from benchmarks.rows import add_flags, keep, parse

PARTS = ("floor", "kernels", "render", "fit", "growth")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--work", type=Path, default=Path("bench-work"), help="where views and runs are kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.5, help="of each fit")
    add_flags(parser, "speed")
    arguments = parse(parser)
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"no part is called {unknown[0]!r}: choose from {', '.join(PARTS)}")
    # Before torch and numba are loaded: they read these once.
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS"):
        os.environ[name] = str(arguments.threads)

    from benchmarks.common import use_threads
    from benchmarks.speed import fit, floor, growth, kernels, render
    from benchmarks.speed.bench import Bench

    modules = (floor, kernels, render, fit, growth)
    measures = {name: module.measure for name, module in zip(PARTS, modules, strict=True)}
    use_threads(arguments.threads)
    bench = Bench(arguments.work.resolve(), arguments.threads, arguments.minutes)
    bench.views()
    for name in arguments.parts or PARTS:
        print(f"\n{name}", flush=True)
        keep(arguments, measures[name](bench))


if __name__ == "__main__":
    main()
