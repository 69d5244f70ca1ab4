"""The first landed version, run from its own files: a shared part, and new objects added to it. `of_record first` asks.

    PYTHONPATH=ITS/src python -m benchmarks.speed.first_version LEARN NEW RUN MINUTES THREADS

It did not count what objects take besides steps. Here all of that is timed around its own functions, where it adds: the
reading of views, what is made of them, and what its phases begin with (latent images of all views). The last line
printed is these seconds.
"""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


class Stopwatch:
    """Seconds spent in some functions, which are replaced where they are looked up."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                self.seconds += time.perf_counter() - began

        setattr(owner, name, timed)

    def forget_after(self, owner: Any, name: str) -> None:
        """What was spent while a function ran, which plans and throws away, is not counted."""
        inner: Callable[..., Any] = getattr(owner, name)

        def planned(*given: Any, **named: Any) -> Any:
            before = self.seconds
            found = inner(*given, **named)
            self.seconds = before
            return found

        setattr(owner, name, planned)


def main(learn: Path, new: Path, run: Path, minutes: float, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    fit, add = import_module("manyfields.runs.fit"), import_module("manyfields.runs.add")
    fit.fit(learn, run, minutes=minutes, report=False)
    watch = Stopwatch()
    watch.around(add, "load_objects")
    watch.around(fit, "new_fitter")
    watch.around(fit, "FittingData")
    watch.around(import_module("manyfields.fitting.fitter").Fitter, "begin")
    watch.forget_after(add, "_plan")
    add.add(run, new, minutes=minutes, report=False)
    print(watch.seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
