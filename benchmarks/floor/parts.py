"""What the parts of a step cost, as pure functions of their sizes, and how long a machine needs for them at least.

Counting: a multiply-add is 2 FLOP; an exponential, a root or a comparison is 1. `moved` are bytes between memory and
caches if every tensor is read or written once a step; `gathered` are bytes of rows of planes, which lie in a cache,
read or written at the places that rays choose. Numbers are float32.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

FLOAT = 4  # bytes
CORNERS = 12  # rows of planes that a point reads: 4 of each of 3 planes


@dataclass(frozen=True)
class Part:
    """What one part of the work costs. Parts of one name add up, and can be repeated (`part * times`)."""

    name: str
    products: float = 0.0
    """FLOP of matrix products in float32 (tf32 on a GPU)."""
    others: float = 0.0
    """FLOP of everything else in float32."""
    halves: float = 0.0
    """FLOP of matrix products and convolutions in bf16."""
    moved: float = 0.0
    gathered: float = 0.0

    def __add__(self, other: "Part") -> "Part":
        return Part(
            self.name,
            self.products + other.products,
            self.others + other.others,
            self.halves + other.halves,
            self.moved + other.moved,
            self.gathered + other.gathered,
        )

    def __mul__(self, times: float) -> "Part":
        sums = (self.products, self.others, self.halves, self.moved, self.gathered)
        return Part(self.name, *(value * times for value in sums))

    @property
    def flop(self) -> float:
        return self.products + self.others + self.halves


@dataclass(frozen=True)
class Machine:
    """What a machine does in a second at best. `gather` None: nobody says, and gathered bytes cost nothing."""

    name: str
    products: float
    others: float
    halves: float
    memory: float
    gather: float | None = None

    def seconds(self, part: Part) -> float:
        """The longest of three: computing, moving, gathering."""
        gathering = part.gathered / self.gather if self.gather else 0.0
        computing = part.products / self.products + part.others / self.others + part.halves / self.halves
        return max(computing, part.moved / self.memory, gathering)

    def floor(self, parts: Iterable[Part]) -> float:
        """Parts follow each other. A kernel that does one while it waits for the other could be a little below."""
        return sum(self.seconds(part) for part in parts)


# Dense products in tf32, float32, dense products in bf16, HBM: NVIDIA H200 and H100 SXM datasheets, whose figures with
# sparsity are twice as high. There is no official figure of what their caches deliver.
H200 = Machine("H200", 494e12, 67e12, 989e12, 4.8e12)
H100 = Machine("H100", 494e12, 67e12, 989e12, 3.35e12)


def gather(samples: float, features: int, side: int) -> Part:
    """Bilinear features of points from three planes of side x side texels."""
    numbers = CORNERS * samples * features
    return Part("gather", others=2 * numbers, moved=FLOAT * 3 * side**2 * features, gathered=FLOAT * numbers)


def scatter(samples: float, features: int, side: int) -> Part:
    """The transpose of `gather`: each row is read, added to and written."""
    numbers = CORNERS * samples * features
    return Part("scatter", others=2 * numbers, moved=FLOAT * 3 * side**2 * features, gathered=2 * FLOAT * numbers)


def decode(samples: float, features: int, hidden: int, values: int) -> Part:
    """The tiny decoder: features -> hidden -> values."""
    return Part("tiny decoder", products=2.0 * samples * (features * hidden + hidden * values), others=samples * hidden)


def decode_back(samples: float, features: int, hidden: int, values: int, learned: int, learns: bool) -> Part:
    """Gradients of the first `learned` features, and of the decoder itself where it `learns`."""
    to_inputs = values * hidden + hidden * learned
    to_itself = (features * hidden + hidden * values) if learns else 0
    return Part("tiny decoder", products=2.0 * samples * (to_inputs + to_itself), others=samples * hidden)


def composite(samples: float, channels: int) -> Part:
    """Density, what passes, weight, and the sum of channels: with what a softplus and two exponentials cost."""
    return Part("compositing", others=samples * (2 * channels + 8))


def mix(bases: int, features: int, side: int, sharing: int = 1) -> Part:
    """Macro planes of one object from base planes, which `sharing` objects of a step read together."""
    numbers = 3 * side**2 * features
    return Part("mixing", products=2.0 * bases * numbers, moved=FLOAT * numbers * (bases / sharing + 1))


def mix_back(bases: int, features: int, side: int, sharing: int = 1, to_bases: bool = False) -> Part:
    """Gradients of the weights of one object, and its share in those of the base planes where they learn."""
    numbers = 3 * side**2 * features
    read = bases / sharing + 1
    back = Part("mixing", products=2.0 * bases * numbers, moved=FLOAT * numbers * read)
    return back + back if to_bases else back


def adam(numbers: float) -> Part:
    """Reads number, gradient and two moments, writes number and moments."""
    return Part("Adam", others=12 * numbers, moved=7 * FLOAT * numbers)


def place(rays: float, bins: int) -> Part:
    """Guided samples: a look into the grid and a share of the weights for every bin of a ray."""
    return Part("guide", others=20.0 * rays * bins, gathered=FLOAT * rays * bins)


def joined(parts: Sequence[Part]) -> list[Part]:
    """Parts of the same name as one."""
    found: dict[str, Part] = {}
    for part in parts:
        found[part.name] = found[part.name] + part if part.name in found else part
    return [part for part in found.values() if part.flop or part.moved]


def table(title: str, parts: Sequence[Part], machines: Sequence[Machine]) -> str:
    """A table in Markdown: a row for each part, and their sum."""
    lines = [f"**{title}**", ""]
    lines.append("| part | TFLOP | moved, GB | gathered, GB | " + " | ".join(f"{m.name}, s" for m in machines) + " |")
    lines.append("|---" * (4 + len(machines)) + "|")
    total = sum(parts[1:], parts[0])
    for part in [*parts, replace(total, name="all")]:
        floors = [m.floor(parts) if part.name == "all" else m.seconds(part) for m in machines]
        cells = [_digits(part.flop / 1e12), _digits(part.moved / 1e9), _digits(part.gathered / 1e9)]
        lines.append(f"| {part.name} | " + " | ".join(cells + [_digits(value) for value in floors]) + " |")
    return "\n".join(lines) + "\n"


def _digits(value: float) -> str:
    """Two digits that count."""
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"
