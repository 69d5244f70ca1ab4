"""`manyfields fit`: views of many objects to a collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manyfields.commands._command import Command, OptionalCount
from manyfields.commands._fit_family import FitAny, fit_command
from manyfields.errors import ConfigError
from manyfields.families.names import NAMES

MOVED = {
    "--family": "fused-planes",
    "--policy": "fused-planes",
    "--autoencoder": "fused-planes",
    "--adaptation": "mixture-images",
    "--side": "mixture-images",
    "--bits": "octree",
}
"""Flags that stood beside those of all families, and a family that has them."""


@dataclass(frozen=True)
class Fit(FitAny):
    """Fit a set of objects: learn the shared part, then every object, and write a collection with its report.

    `manyfields fit FAMILY DATA --out RUN` fits another family than fused planes, and has the flags of its settings:
    `manyfields fit FAMILY --help`. Families: fused-planes (objects share all they can; the default), octree (an octree
    for each object), tensorf (planes and vectors for each scene), factor-fields (basis grids and coefficients for each
    scene), mixture (averages of networks that objects share), mixture-images and mixture-voxels (likewise, of a folder
    of images, or of meshes). A folder that has the name of a family is given as ./NAME.
    """

    stage1_objects: OptionalCount = None
    """How many objects learn the shared part (split by group); all of them up to 500 if not given."""

    @classmethod
    def of_words(cls, words: Sequence[str]) -> type[Command]:
        """With the settings of the family that they begin with. Raises ConfigError for flags that have moved."""
        if words and words[0] in NAMES:
            return fit_command(words[0])
        if (instead := moved(words)) is not None:
            raise ConfigError(instead)
        return cls

    def settings(self) -> dict[str, Any]:
        return {"stage1_objects": self.stage1_objects}


def moved(words: Sequence[str]) -> str | None:
    """What to write in the place of `manyfields fit` with these words; None where they have no flag that has moved."""
    flags = [word.split("=")[0] for word in words]
    found = next((flag for flag in flags if flag in MOVED), None)
    if found is None:
        return None
    values = {
        flag: word.partition("=")[2] or after for flag, word, after in zip(flags, words, [*words[1:], ""], strict=True)
    }
    of_preset = [name for name in NAMES if values.get("--preset", "").startswith(name)]
    family = values.get("--family") or max(of_preset, key=len, default=MOVED[found])
    kept, passed_over = [], False
    for flag, word in zip(flags, words, strict=True):
        if flag != "--family" and not passed_over:
            kept.append(word)
        passed_over = word == "--family"
    instead = shlex.join(["manyfields", "fit", family, *kept])
    return f"{found}: the family comes first now, and has flags of its own: {instead}"
