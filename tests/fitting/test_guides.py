"""Guides follow the densities of fields: only in the hull, a part of the cells at a time, and never down at once."""

from types import SimpleNamespace

import pytest
import torch

from manyfields.fields import Field, Samples
from manyfields.fitting.data import load_object
from manyfields.fitting.guides import FORGET, PARTS, START, Guides

SIDE = 5
BOXES = torch.tensor([[[-0.5, -0.6, -0.1], [0.2, 0.9, 0.4]], [[-1.0, -0.2, -0.3], [-0.4, 0.1, 0.8]]])
ROUNDS = 12 * PARTS  # refreshes after which every cell was asked, but for a chance of 1e-5


class CellField(Field):
    """Each cell of the box of object b has a density of its own: `low + step * (cell's number + 1000 b)`."""

    def __init__(self, low: float, step: float, row: int | None = None) -> None:
        self.low, self.step, self.row = low, step, row

    def __getitem__(self, row: int) -> "CellField":
        return CellField(self.low, self.step, row)

    def __call__(self, points, directions=None) -> Samples:
        low, high = BOXES[self.row]
        cells = (points - low) / (high - low) * SIDE
        assert bool(((cells > -1e-4) & (cells < SIDE + 1e-4)).all())  # only places in the box are asked for
        x, y, z = cells.long().clamp(0, SIDE - 1).unbind(-1)
        return Samples(self.low + self.step * ((x * SIDE + y) * SIDE + z + 1000.0 * self.row), points)


def numbers(row: int) -> torch.Tensor:
    return torch.arange(float(SIDE**3)).view(SIDE, SIDE, SIDE) + 1000.0 * row


@pytest.fixture
def guides() -> Guides:
    """Of three objects, the second of which has no hull."""
    hulls = (torch.rand(3, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) > 0.4).to(torch.uint8)
    objects = [SimpleNamespace(hull=hulls[0]), SimpleNamespace(hull=None), SimpleNamespace(hull=hulls[2])]
    return Guides(objects, SIDE, torch.device("cpu"))


def test_guides_start_at_the_hulls(guides):
    assert (START, FORGET) == (3.0, 0.5)
    for row in (0, 2):
        assert 0.3 < float(guides.hulls[row].float().mean()) < 0.9
        assert torch.equal(guides.values[row], 3.0 * guides.hulls[row].float())
    assert bool((guides.values[1] == 3.0).all())
    guides.refresh(CellField(5, 1), BOXES, {0: 0, 1: 1}, torch.Generator().manual_seed(0))
    assert not torch.equal(guides.values, START * guides.hulls.float())


def test_cells_come_to_hold_the_densities_of_the_fields_there(guides):
    generator = torch.Generator().manual_seed(1)
    for _ in range(ROUNDS):
        guides.refresh(CellField(4, 1), BOXES, {0: 2, 1: 0}, generator)  # the first field is that of the third guide
    for number, row in ((0, 2), (1, 0)):
        torch.testing.assert_close(guides.values[row], (4 + numbers(number)) * guides.hulls[row])
    assert bool((guides.values[1] == START).all())  # was not given


def test_a_refresh_asks_a_quarter_of_the_cells_and_lets_them_fall_by_half_at_most(guides):
    generator = torch.Generator().manual_seed(2)
    for _ in range(ROUNDS):
        before = guides.values.clone()
        guides.refresh(CellField(0.5, 0.0), BOXES, {0: 0}, generator)
        assert bool((guides.values >= FORGET * before).all())
        assert torch.equal(guides.values > 0, guides.hulls > 0)
        assert torch.equal(guides.values[1:], before[1:])
        changed = int((guides.values[0] != before[0]).sum())
        assert changed <= -(-int(guides.hulls[0].sum()) // PARTS)
    torch.testing.assert_close(guides.values[0], 0.5 * guides.hulls[0])


def test_cells_fall_by_half_where_the_field_is_empty_but_never_to_nothing(guides):
    guides.refresh(CellField(0.0, 0.0), BOXES, {0: 1}, torch.Generator().manual_seed(3))
    asked = guides.values[1] != START
    assert abs(int(asked.sum()) - SIDE**3 / PARTS) <= 1
    assert bool((guides.values[1][asked] == FORGET * START).all())
    generator = torch.Generator().manual_seed(3)
    for _ in range(30 * PARTS):
        guides.refresh(CellField(0.0, 0.0), BOXES, {0: 1}, generator)
    assert float(guides.values[1].min()) > 0 and float(guides.values[1].max()) < 0.01


def test_the_same_generator_gives_the_same_guides(make_fitter):
    fitter = make_fitter("hulls")
    bounds = fitter.data.bounds[[1, 2]]
    field = fitter.shared.family.field(fitter.store.all()[[1, 2]], bounds=bounds)
    found = []
    for seed in (4, 4, 5):
        guides = Guides(fitter.data.objects, 12, torch.device("cpu"))
        generator = torch.Generator().manual_seed(seed)
        for _ in range(6):
            guides.refresh(field, bounds, {0: 1, 1: 2}, generator)
        found.append(guides.values)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert not found[0].requires_grad


def test_guides_start_at_the_hulls_of_loaded_objects(tiny_views):
    item = load_object(tiny_views[0], (16, 16), seed=0, hull=9)
    guides = Guides([item], 9, torch.device("cpu"))
    assert 0 < float(item.hull.float().mean()) < 1
    assert torch.equal(guides.values[0], START * item.hull.float())
