"""Objects between others: mixtures of neighbours, to draw and to learn from, and bilinear grids between four.

drawn = sum of share * parent over an object and some of its neighbours; shares sum to 1      (mNIF, equation 11)

Shares are those of a Dirichlet distribution: of two parents, uniform (equation 11); of more, and the more `even` they
are, mixtures lie between objects and hardly ever near one.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

AT_ONCE = 1024


def nearest_of_class(vectors: Float[Tensor, "N D"], labels: Int[Tensor, " N"], count: int) -> Int[Tensor, "N K"]:
    """Rows of the nearest others of the same class, nearest first; where there are fewer, the object itself."""
    found = []
    own = torch.arange(len(vectors))
    count = min(count, max(1, len(vectors) - 1))
    for rows in own.split(AT_ONCE):
        distances = torch.cdist(vectors[rows], vectors)
        distances[labels[rows].unsqueeze(1) != labels] = torch.inf
        distances[torch.arange(len(rows)), rows] = torch.inf
        values, nearest = distances.topk(count, largest=False)
        found.append(torch.where(values.isinf(), rows.unsqueeze(1), nearest))
    return torch.cat(found)


class NeighbourDraws:
    """Mixtures of objects (vectors (N, D) with their classes) and some of their nearest neighbours each.

    `parents`: how many make a mixture, the object counted; `evenness`: the concentration of their shares' Dirichlet
    distribution, a whole number. `ranks`: how many coordinates belong together; a share `exchange` of mixtures has each
    group but the first from, or from halfway to, any object of the class: planes over a box are stretched with it,
    which is an object too.
    """

    def __init__(
        self,
        vectors: Float[Tensor, "N D"],
        labels: Int[Tensor, " N"],
        neighbours: int = 5,
        parents: int = 2,
        evenness: int = 1,
        ranks: Sequence[int] = (),
        exchange: float = 0.0,
    ) -> None:
        self.vectors = vectors
        self.labels = labels
        self.parents = parents
        self.evenness = evenness
        self.exchange = exchange
        self.groups = [] if not ranks else list(torch.arange(vectors.shape[1]).split(list(ranks)))[1:]
        self.nearest = nearest_of_class(vectors, labels, neighbours)
        self.rows_of = {int(label): (labels == label).nonzero().squeeze(1) for label in labels.unique()}

    def draw(self, labels: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B D"]:
        """One mixture of each class."""
        return self.mixed(self._any_of(labels, generator), generator)

    def mixed(self, rows: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B D"]:
        """Mixtures of the objects in these rows."""
        count = len(rows)
        # Distinct neighbours: the first ones in a random order.
        order = torch.rand(count, self.nearest.shape[1], generator=generator).argsort(1)[:, : self.parents - 1]
        parents = torch.cat([rows.unsqueeze(1), self.nearest[rows].gather(1, order)], 1)
        # Exponential numbers, summed: gamma distributions, whose shares are a Dirichlet one.
        drawn = torch.rand(*parents.shape, self.evenness, generator=generator).clamp(min=1e-12)
        shares = -drawn.log().sum(2, keepdim=True)
        found = (self.vectors[parents] * (shares / shares.sum(1, keepdim=True))).sum(1)
        for group in self.groups if self.exchange else []:
            other = self.vectors[self._any_of(self.labels[rows], generator)][:, group]
            share = torch.rand(len(rows), 1, generator=generator)
            share *= torch.rand(len(rows), 1, generator=generator) < self.exchange
            found[:, group] = torch.lerp(found[:, group], other, share)
        return found

    def _any_of(self, labels: Tensor, generator: torch.Generator) -> Int[Tensor, " B"]:
        """A row of each class."""
        places, rows = torch.rand(len(labels), generator=generator).tolist(), []
        for label, place in zip(labels.tolist(), places, strict=True):
            known = self.rows_of[label]
            rows.append(int(known[min(int(place * len(known)), len(known) - 1)]))
        return torch.tensor(rows)


def bilinear_grid(corners: Float[Tensor, "4 D"], side: int) -> Float[Tensor, "G D"]:
    """Vectors of a grid, row after row, between four: top left, top right, bottom left, bottom right.

    >>> bilinear_grid(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), 3).flatten().tolist()
    [0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0]
    """
    shares = torch.linspace(0, 1, side)
    left = torch.lerp(corners[0], corners[2], shares.unsqueeze(1))
    right = torch.lerp(corners[1], corners[3], shares.unsqueeze(1))
    return torch.lerp(left.unsqueeze(1), right.unsqueeze(1), shares.view(1, side, 1)).flatten(0, 1)
