"""Fit a folder of posed views, add more objects, and print what came out.

    python examples/fit_a_folder.py VIEWS RUN --minutes 30 [--add MORE_VIEWS]

VIEWS is what `manyfields views render` writes, or any folder that docs/reference/data.md describes. Run it again to go
on after an interruption.
"""

import argparse
import sys
from pathlib import Path

import manyfields


def show(phase: str, done: int, total: int, **figures: float | int | str) -> None:
    """Progress: a line when a phase ends."""
    if done == total:
        print(phase, figures, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--add", type=Path)
    arguments = parser.parse_args()

    resume = (arguments.run / "run.json").exists()
    manyfields.fit(arguments.views, arguments.run, minutes=arguments.minutes, resume=resume, progress=show, say=print)
    if arguments.add:
        manyfields.add(arguments.run, arguments.add, progress=show)

    figures = manyfields.evaluate(arguments.run)
    for name, scores in figures["objects"].items():
        print(f"{name:30} {scores['psnr']:6.2f} dB")
    print(f"{'mean':30} {figures['mean']['psnr']:6.2f} dB, {', '.join(figures['notes'])}")

    sizes = manyfields.open_collection(arguments.run).sizes()
    each = sizes["per_object"]
    print(f"{each['layers']:,.0f} bytes an object, {each['layer0']:,.0f} of them in layer 0")
    print(f"{sizes['shared']:,} bytes are shared by all objects")


if __name__ == "__main__":
    main()
