import pytest
import torch

from manyfields.compression.kmeans import CHUNK, learn_codebook, nearest


def blobs(count=4000, centres=8, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    places = 10.0 * torch.randn(centres, width, generator=generator)
    rows = torch.randint(0, centres, (count,), generator=generator)
    return places, places[rows] + 0.01 * torch.randn(count, width, generator=generator)


def test_nearest_is_the_brute_force():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(CHUNK + 100, 6, generator=generator)
    codebook = torch.randn(20, 6, generator=generator)
    distances = (features[:, None] - codebook).square().sum(-1)
    found = distances.gather(1, nearest(features, codebook)[:, None])[:, 0]
    assert torch.allclose(found, distances.min(1).values, atol=1e-4)


def test_separate_blobs_are_found():
    places, features = blobs()
    codebook = learn_codebook(features, 3)
    assert float((places[:, None] - codebook).square().sum(-1).min(1).values.max()) < 1e-3


def test_one_seed_one_codebook():
    _, features = blobs()
    assert torch.equal(learn_codebook(features, 4, seed=3), learn_codebook(features, 4, seed=3))
    assert not torch.equal(learn_codebook(features, 4, seed=3), learn_codebook(features, 4, seed=4))


def test_more_bits_less_error():
    features = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0))
    errors = []
    for bits in (1, 3, 5, 7):
        codebook = learn_codebook(features, bits)
        assert codebook.shape == (1 << bits, 4)
        errors.append(float((features - codebook[nearest(features, codebook)]).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.35 * errors[0]


def test_it_is_as_good_as_scipy():
    vq = pytest.importorskip("scipy.cluster.vq")
    features = torch.randn(2000, 3, generator=torch.Generator().manual_seed(1))
    ours = learn_codebook(features, 4, iterations=50)
    theirs, _ = vq.kmeans2(features.numpy(), 16, minit="++", seed=0, iter=50)
    errors = [
        float((features - book[nearest(features, book)]).square().mean()) for book in (ours, torch.from_numpy(theirs))
    ]
    assert errors[0] < 1.05 * errors[1]


def test_weights_draw_entries_to_what_counts():
    features = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    codebook = learn_codebook(features, 1, weights=torch.tensor([1.0, 3.0, 1.0, 1.0]))
    assert sorted(codebook[:, 0].tolist()) == pytest.approx([0.75, 10.5])


def test_fewer_rows_than_entries():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    codebook = learn_codebook(features, 4)
    assert codebook.shape == (16, 2) and bool(codebook.isfinite().all())
    assert torch.equal(codebook[nearest(features, codebook)], features)
    assert learn_codebook(torch.zeros(0, 2), 2).tolist() == [[0.0, 0.0]] * 4
