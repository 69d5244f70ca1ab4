"""The ablations of mNIF (You et al. 2023): what its tables train, what they found, and whether we find the same order.

Table 4 (a) and (b) and table 5 have the paper's own sizes. Table 4 (c) and table 6 are of (5, 128, 256, H) there, which
takes ten times as long as what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Figures = Mapping[str, float]
"""A PSNR in dB, by the name of a training."""


@dataclass(frozen=True)
class Training:
    """One mixture of images, and how it is learned."""

    sizes: tuple[int, int, int, int] = (2, 64, 256, 256)
    """L, W, M, H: hidden layers, width, bases, numbers of a latent vector."""
    coefficients: str = "latent"
    adaptation: str = "meta"
    inner_steps: int = 3
    length: float = 1.0
    """Steps of this training for each step that is asked for."""

    @property
    def line(self) -> str:
        """What it is, in a few words."""
        inner = f", {self.inner_steps} inner steps" if self.adaptation != "auto-decoding" else ""
        sizes = ", ".join(str(size) for size in self.sizes)
        return f"{self.adaptation}{inner}, coefficients {self.coefficients}, (L, W, M, H) = ({sizes})"


TRAININGS = {
    "shared": Training((2, 64, 64, 64), "shared"),
    "layers": Training((2, 64, 64, 256), "layers"),
    "m16": Training((2, 64, 16, 256)),
    "m64": Training((2, 64, 64, 256)),
    "m256": Training(),
    "m1024": Training((2, 64, 1024, 256)),
    "h256": Training((4, 64, 256, 256)),
    "h512": Training((4, 64, 256, 512)),
    "h1024": Training((4, 64, 256, 1024)),
    "auto": Training(adaptation="auto-decoding"),
    "auto_long": Training(adaptation="auto-decoding", length=6.0),
    "first_order": Training(adaptation="meta-first-order"),
    "inner_5": Training(inner_steps=5),
    "half": Training(length=0.5),
    "long": Training(length=1.5),
}
"""By the name of their rows. `auto_long` takes as long as `m256`, whose steps are six times as dear."""


@dataclass(frozen=True)
class Table:
    """A table of the paper: its PSNR, in dB, of the trainings here that answer to its rows."""

    name: str
    train: Figures
    test: Figures = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    """Trainings that the paper does not have."""

    @property
    def trainings(self) -> tuple[str, ...]:
        return (*self.train, *self.beside)


TABLES = {
    "coefficients": Table(
        "table 4 (a), coefficients",
        {"shared": 22.20, "layers": 24.45, "m64": 25.27},
        {"shared": 22.11, "layers": 24.35, "m64": 25.09},
    ),
    "bases": Table(
        "table 4 (b), bases",
        {"m16": 22.02, "m64": 25.27, "m256": 26.64, "m1024": 26.84},
        {"m16": 21.84, "m64": 25.09, "m256": 25.74, "m1024": 25.85},
    ),
    "latents": Table(
        "table 4 (c), latent vectors",
        {"h256": 31.17, "h512": 32.11, "h1024": 32.71},
        {"h256": 25.35, "h512": 27.92, "h1024": 29.45},
    ),
    "way": Table(
        "table 5, adaptation",
        {"auto": 24.68, "first_order": 22.68, "m256": 26.64, "inner_5": 26.77},
        beside=("auto_long",),
    ),
    "length": Table("table 6, longer training", {"half": 32.11, "m256": 33.10, "long": 33.61}),
}
PARTS = {
    "table4": ("coefficients", "bases", "latents"),
    "table5": ("way",),
    "table6": ("length",),
    **{name: (name,) for name in TABLES},
}
"""What may be asked for, and the tables that it means."""


def trainings_of(parts: list[str]) -> list[str]:
    """Names of all trainings of some parts, each once, in the order of `TRAININGS`."""
    wanted = {name for part in parts for table in PARTS[part] for name in TABLES[table].trainings}
    return [name for name in TRAININGS if name in wanted]


def order(paper: Figures, ours: Figures) -> str:
    """Whether we rank as the paper does: a sentence, with the pairs that are not in its order.

    Trainings without a figure of ours are left out, and named.
    """
    absent = [name for name in paper if name not in ours]
    ranked = sorted((name for name in paper if name in ours), key=lambda name: paper[name])
    if len(ranked) < 2:
        return f"not known: no figure of {', '.join(absent)}"
    wrong = [
        f"{better} {ours[better]:.2f} dB is not above {worse} {ours[worse]:.2f} dB "
        f"(the paper: {paper[better]:.2f} and {paper[worse]:.2f})"
        for place, worse in enumerate(ranked)
        for better in ranked[place + 1 :]
        if ours[better] <= ours[worse]
    ]
    found = f"not the paper's order: {'; '.join(wrong)}" if wrong else "the paper's order"
    return found + (f"; no figure of {', '.join(absent)}" if absent else "")


def summary(ours: Mapping[str, Figures]) -> list[str]:
    """One line for each table and figure. `ours`: PSNR by training, of `psnr_train` and `psnr_unseen`."""
    lines = []
    for table in TABLES.values():
        for figure, paper in (("psnr_train", table.train), ("psnr_unseen", table.test)):
            if paper:
                lines.append(f"{table.name}, {figure}: {order(paper, ours[figure])}")
    return lines
