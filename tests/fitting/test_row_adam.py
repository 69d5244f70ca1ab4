import torch

from manyfields.fitting.row_adam import RowAdam


def run(adam, table, steps=6, seed=0):
    """Steps of random gradients on random rows; what they were."""
    generator = torch.Generator().manual_seed(seed)
    done = []
    for _ in range(steps):
        rows = torch.randperm(len(table), generator=generator)[:4].sort().values
        gradient = torch.randn(4, table.shape[1], generator=generator)
        adam.receive(0, rows, gradient)
        done.append((rows, gradient))
    return done


def test_each_row_is_an_adam_of_its_own():
    table = torch.randn(9, 5, generator=torch.Generator().manual_seed(1))
    rows = [row.clone().requires_grad_() for row in table]
    optimizers = [torch.optim.Adam([row], 0.1, betas=(0.9, 0.99), eps=1e-15) for row in rows]
    for touched, gradient in run(RowAdam([table], 0.1), table):
        for row, values in zip(touched.tolist(), gradient, strict=True):
            rows[row].grad = values
            optimizers[row].step()
    torch.testing.assert_close(table, torch.stack(rows).detach())


def test_rows_that_are_not_touched_stay_bit_by_bit():
    table = torch.randn(9, 5)
    before = table.clone()
    adam = RowAdam([table], 0.1)
    adam.receive(0, torch.tensor([2, 5]), torch.ones(2, 5))
    kept = [0, 1, 3, 4, 6, 7, 8]
    assert torch.equal(table[kept], before[kept]) and not torch.equal(table[[2, 5]], before[[2, 5]])
    assert not adam.first[0][kept].any() and not adam.second[0][kept].any()


def test_lean_moments_go_the_same_way_with_less():
    start = torch.zeros(50, 64)
    target = torch.randn(50, 64, generator=torch.Generator().manual_seed(0))
    ends = []
    for lean in (False, True):
        table = start.to(torch.float16 if lean else torch.float32)
        adam = RowAdam([table], 0.05, lean=lean)
        for _ in range(150):
            adam.receive(0, torch.arange(50), 1e-9 * (table.float() - target))  # as small as gradients of logits are
        ends.append((table.float() - target).square().mean().item())
        state = [adam.first[0], adam.second[0], adam.counts[0]]
        size = sum(tensor.numel() * tensor.element_size() for tensor in state) / 50
        assert size == (2 * 64 + 8 if lean else 8 * 64 + 4)
    assert max(ends) < 0.05, ends


def test_sparse_gradients_are_taken_and_forgotten():
    table = torch.nn.Parameter(torch.zeros(6, 2))
    adam = RowAdam([table], 0.1)
    torch.nn.functional.embedding(torch.tensor([1, 4]), table, sparse=True).sum().backward()
    adam.step()
    assert table.grad is None
    torch.testing.assert_close(table.detach().sum(1), torch.tensor([0.0, -0.2, 0, 0, -0.2, 0]))
