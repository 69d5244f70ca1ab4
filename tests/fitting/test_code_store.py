"""Adam per row: what torch.optim.Adam does, but only for the objects of a step."""

import torch

from manyfields.fields import Codes
from manyfields.fitting.code_store import CodeStore

RATES = {"weights": 0.03, "micro": 0.01}
STEPS = [[0, 2], [2], [1, 3], [0, 2], [2, 3], [0]]


def new_store() -> CodeStore:
    generator = torch.Generator().manual_seed(0)
    sizes = {"weights": (4, 3), "micro": (4, 2, 5)}
    return CodeStore(Codes({name: torch.randn(size, generator=generator) for name, size in sizes.items()}))


def loss_of(codes: Codes, step: int) -> torch.Tensor:
    targets = {name: torch.sin(torch.arange(t[0].numel()) + step).view(t[0].shape) for name, t in codes.tensors.items()}
    return torch.stack([(t - targets[name]).pow(4).sum() for name, t in codes.tensors.items()]).sum()


def step_store(store: CodeStore, rows: list[int], step: int) -> None:
    index = torch.tensor(rows)
    codes = store.take(index)
    loss_of(codes, step).backward()
    store.update(index, codes, RATES)


def test_equals_torch_adam_run_for_each_object_alone():
    store, start = new_store(), new_store()
    for step, rows in enumerate(STEPS):
        step_store(store, rows, step)
    for row in range(len(start)):
        own = {name: t[row : row + 1].clone().requires_grad_() for name, t in start.codes.items()}
        groups = [{"params": [tensor], "lr": RATES[name]} for name, tensor in own.items()]
        adam = torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)
        for step, rows in enumerate(STEPS):
            if row in rows:
                adam.zero_grad()
                loss_of(Codes(own), step).backward()
                adam.step()
        for name, tensor in own.items():
            torch.testing.assert_close(store.codes[name][row], tensor[0].detach(), rtol=1e-5, atol=1e-6)


def test_objects_that_were_not_drawn_keep_every_bit():
    store = new_store()
    for step, rows in enumerate(STEPS):
        step_store(store, rows, step)
    before = {name: tensor.clone() for name, tensor in store.state().items()}
    step_store(store, [0, 3], 9)
    for name, tensor in store.state().items():
        assert torch.equal(tensor[[1, 2]], before[name][[1, 2]]), name
        assert not torch.equal(tensor[0], before[name][0]) and not torch.equal(tensor[3], before[name][3]), name


def test_counts_are_those_of_each_object():
    store = new_store()
    for step, rows in enumerate(STEPS):
        step_store(store, rows, step)
    assert store.counts.tolist() == [3, 1, 4, 2]


def test_a_tensor_without_gradient_stays():
    store, start = new_store(), new_store()
    index = torch.tensor([1])
    codes = store.take(index)
    codes.tensors["weights"].square().sum().backward()
    store.update(index, codes, RATES)
    assert torch.equal(store.codes["micro"], start.codes["micro"])
    assert not torch.equal(store.codes["weights"], start.codes["weights"])


def test_taking_does_not_tie_the_store_to_a_graph():
    store = new_store()
    taken = store.take(torch.tensor([0]))
    assert all(tensor.requires_grad for tensor in taken.tensors.values())
    assert not any(tensor.requires_grad for tensor in store.codes.values())


def test_state_goes_into_another_store():
    store, other = new_store(), new_store()
    for step, rows in enumerate(STEPS):
        step_store(store, rows, step)
    other.load({name: tensor.clone() for name, tensor in store.state().items()})
    step_store(store, [1, 2], 7)
    step_store(other, [1, 2], 7)
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in store.state().items())


def test_resetting_moments_keeps_codes():
    store = new_store()
    step_store(store, [0, 1], 0)
    codes = {name: tensor.clone() for name, tensor in store.codes.items()}
    store.reset_moments()
    assert all(torch.equal(tensor, codes[name]) for name, tensor in store.codes.items())
    moments = [*store.first.values(), *store.second.values(), store.counts]
    assert not any(bool(tensor.any()) for tensor in moments)


def store_with_hulls() -> CodeStore:
    hull = (torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(1)) > 0.5).to(torch.uint8)
    return CodeStore(Codes({"hull": hull, **new_store().codes}))


def step_floats(store: CodeStore, rows: list[int], step: int) -> None:
    """`step_store` with a loss that leaves hulls out."""
    codes = store.take(torch.tensor(rows))
    loss_of(Codes({name: codes.tensors[name] for name in RATES}), step).backward()
    store.update(torch.tensor(rows), codes, RATES)


def test_hulls_are_kept_as_they_are_and_change_nothing_of_the_rest():
    store, plain = store_with_hulls(), new_store()
    hull = store.codes["hull"].clone()
    assert set(store.first) == set(store.second) == {"weights", "micro"}
    taken = store.take(torch.tensor([2, 1])).tensors
    assert {name: tensor.requires_grad for name, tensor in taken.items()} == {
        "hull": False,
        "weights": True,
        "micro": True,
    }
    assert taken["hull"].dtype == torch.uint8 and torch.equal(taken["hull"], hull[[2, 1]])
    for step, rows in enumerate(STEPS):
        step_floats(store, rows, step)
        step_store(plain, rows, step)
    assert store.codes["hull"].dtype == torch.uint8 and torch.equal(store.codes["hull"], hull)
    for name, tensor in plain.state().items():
        assert torch.equal(store.state()[name], tensor), name


def test_hulls_go_with_the_state():
    store, other = store_with_hulls(), store_with_hulls()
    assert set(store.state()) - set(new_store().state()) == {"code.hull"}
    store.codes["hull"][1] ^= 1
    other.load({name: tensor.clone() for name, tensor in store.state().items()})
    assert other.codes["hull"].dtype == torch.uint8 and torch.equal(other.codes["hull"], store.codes["hull"])


def test_one_step_moves_rows_by_their_own_counts():
    store = new_store()
    for step in range(5):
        step_store(store, [2], step)
    before = {name: tensor.clone() for name, tensor in store.state().items()}
    index = torch.tensor([3, 2])  # the new one first
    codes = store.take(index)
    loss_of(codes, 5).backward()
    store.update(index, codes, RATES)
    assert store.counts.tolist() == [0, 0, 6, 1]
    for name, rate in RATES.items():
        gradient = codes.tensors[name].grad
        # Adam's very first step has the size of the rate, whatever the gradient.
        moved = store.codes[name][3] - before[f"code.{name}"][3]
        torch.testing.assert_close(moved, -rate * gradient[0].sign(), rtol=1e-3, atol=1e-6)
        first = 0.9 * before[f"first.{name}"][2] + 0.1 * gradient[1]
        second = 0.99 * before[f"second.{name}"][2] + 0.01 * gradient[1] ** 2
        step = rate * (first / (1 - 0.9**6)) / ((second / (1 - 0.99**6)).sqrt() + 1e-8)
        torch.testing.assert_close(store.codes[name][2], before[f"code.{name}"][2] - step, rtol=1e-5, atol=1e-6)
