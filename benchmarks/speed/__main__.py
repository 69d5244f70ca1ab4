"""Speed on a CPU, in one run: floors, kernels, rendering, fitting, growth. `make bench` runs it.

    python -m benchmarks.speed [floor] [kernels] [render] [fit] [growth] [--work W] [--threads 2] [--minutes 0.5]

Without names all parts run, about ten minutes. Rows go to benchmarks/results/speed.json, or to `--results`. Vehicles of
../shared (MANYFIELDS_SHARED) are rendered into W once; where there are none, procedural ones, whose rows begin with
`inventory.`. Quote ratios within one run: machines differ.
"""

import argparse
import os
from pathlib import Path

PARTS = ("floor", "kernels", "render", "fit", "growth")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--work", type=Path, default=Path("bench-work"), help="where views and runs are kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.5, help="of each fit")
    parser.add_argument("--results", type=Path, help="another file for the rows, to try something out")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"no part is called {unknown[0]!r}: choose from {', '.join(PARTS)}")
    # Before torch and numba are loaded: they read these once.
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS"):
        os.environ[name] = str(arguments.threads)

    from benchmarks.common import use_threads
    from benchmarks.speed import fit, floor, growth, kernels, render
    from benchmarks.speed.bench import ROWS, Bench, store

    modules = (floor, kernels, render, fit, growth)
    measures = {name: module.measure for name, module in zip(PARTS, modules, strict=True)}
    use_threads(arguments.threads)
    bench = Bench(arguments.work.resolve(), arguments.threads, arguments.minutes)
    bench.views()
    for name in arguments.parts or PARTS:
        print(f"\n{name}", flush=True)
        store(measures[name](bench), arguments.results or ROWS)


if __name__ == "__main__":
    main()
