"""`manyfields eval`: quality on held-out views, from the stored bytes."""

from dataclasses import dataclass

from manyfields.commands._command import Command, MovedViews, OptionalCount, OptionalNewFile, RunFolder
from manyfields.commands._progress import progress
from manyfields.commands._tables import print_table


@dataclass(frozen=True)
class Eval(Command):
    """Measure PSNR (of the foreground, too), holes, SSIM and LPIPS on the held-out views, from the stored bytes."""

    folder: RunFolder
    """Run folder that `manyfields fit` made."""
    json: OptionalNewFile = None
    """Also write the figures here, as {"mean": {...}, "objects": {...}}."""
    level: OptionalCount = None
    """How many layers of each object to decode; all of them if not given."""
    data: MovedViews = ()
    """Where the views are now, if they have moved since the fit; of several folders, in the order they were given."""

    def run(self) -> int:
        from manyfields import runs
        from manyfields._io import write_json

        with progress("eval") as report:
            figures = runs.evaluate(self.folder, level=self.level, data=self.data, progress=report)
        if self.json is not None:
            write_json(self.json, figures)
        metrics = list(figures["mean"])
        rows = [[name, *(values.get(m) for m in metrics)] for name, values in figures["objects"].items()]
        print_table(["object", *metrics], [*rows, ["mean", *figures["mean"].values()]])
        for note in figures.get("notes", ()):
            print(note)
        return 0
