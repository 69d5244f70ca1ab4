import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from manyfields.compression.transform.decoder import FrozenDecoder, TransformDecoder, WholeLayer, latent_side, scales_of


def made(bits: int = 8, seed: int = 0) -> TransformDecoder:
    draw = torch.Generator().manual_seed(seed)
    decoder = TransformDecoder(5, 6, 4, bits, draw)
    with torch.no_grad():
        for bias in (decoder.first_bias, decoder.second_bias):
            bias.copy_(torch.randn(bias.shape, generator=draw).half())
    return decoder


@pytest.mark.parametrize("texels", range(2, 30))
def test_latents_are_as_few_as_make_the_plane(texels):
    assert 4 * latent_side(texels) - 3 >= texels > 4 * (latent_side(texels) - 1) - 3


def test_the_learning_form_is_that_of_torch():
    decoder = made(bits=12)
    layers = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(5, 6, 3, stride=2, padding=1),
        torch.nn.SELU(),
        torch.nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1),
    )
    layers.load_state_dict(
        {
            "0.weight": decoder.first,
            "0.bias": decoder.first_bias,
            "2.weight": decoder.second,
            "2.bias": decoder.second_bias,
        }
    )
    latents = torch.randn(5, 3, 4)
    # Weights of 12 bits are rounded, by less than a thousandth of the largest.
    torch.testing.assert_close(decoder(latents, (8, 11)), layers(latents[None])[0, :, :8, :11], atol=0.02, rtol=0)


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_the_stored_form_makes_the_planes_that_were_learned(bits):
    decoder = made(bits)
    latents = torch.randint(-20, 21, (5, 3, 4))
    torch.testing.assert_close(
        decoder.whole()(latents, (9, 13)), decoder(latents.float(), (9, 13)).detach(), atol=5e-3, rtol=1e-4
    )


def test_the_largest_weight_fits_its_bits():
    weights = torch.randn(7, 3, 3, 3) * torch.tensor([1e-7, 1.0, 1e3])[:, None, None]
    layer = WholeLayer.of(weights, torch.zeros(3), 8)
    assert int(layer.weights.abs().max()) <= 127 and int(layer.weights[:, 1:].abs().amax((0, 2, 3)).min()) >= 126
    assert torch.equal(scales_of(weights, 8), scales_of(weights, 8).half().float())


def test_sums_are_exact():
    """Against sums of integers, number by number."""
    layer = made().whole().first
    inputs = torch.randint(-2000, 2001, (5, 2, 3))
    expected = np.zeros((6, 5, 7), np.int64)  # padding cuts a row and a column off each side
    weights = layer.weights.numpy()
    for i in range(2):
        for j in range(3):
            for a in range(3):
                for b in range(3):
                    expected[:, 2 * i + a, 2 * j + b] += inputs[:, i, j].numpy() @ weights[:, :, a, b]
    whole = WholeLayer(layer.weights, torch.ones(6), torch.zeros(6))
    assert (whole(inputs.double()).numpy() == expected[:, 1:-1, 1:-1]).all()


def test_planes_are_the_same_on_any_number_of_threads():
    draw = torch.Generator().manual_seed(1)
    decoder = TransformDecoder(40, 24, 16, 8, draw).whole()
    latents, before = torch.randint(-30, 31, (40, 12, 12), generator=draw), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(decoder(latents, (45, 45)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_the_frozen_form_makes_the_planes_that_are_stored():
    whole = made().whole()
    latents = torch.randint(-20, 21, (5, 3, 4)).float().requires_grad_()
    planes = FrozenDecoder(whole)(latents, (9, 13))
    torch.testing.assert_close(planes.detach(), whole(latents.detach().long(), (9, 13)), atol=2e-3, rtol=1e-4)
    planes.sum().backward()
    assert bool(latents.grad.any()) and not list(FrozenDecoder(whole).parameters())
    assert FrozenDecoder(whole).whole() is whole


def test_gradients_go_straight_through_the_rounding():
    decoder = made(bits=4)
    latents = torch.randn(5, 3, 4)
    decoder(latents, (9, 13)).sum().backward()
    plain = [parameter.detach().clone().requires_grad_() for parameter in (decoder.second, decoder.second_bias)]
    with torch.no_grad():
        scales = scales_of(decoder.first, 4)[:, None, None]
        first = (decoder.first / scales).round() * scales
        hidden = functional.selu(
            functional.conv_transpose2d(latents[None], first, decoder.first_bias, stride=2, padding=1)
        )
    functional.conv_transpose2d(hidden, *plain, stride=2, padding=1)[..., :9, :13].sum().backward()
    assert decoder.first.grad is not None and bool(decoder.first.grad.any())
    torch.testing.assert_close(decoder.second.grad, plain[0].grad)


def test_volumes_are_made_as_planes_are():
    draw = torch.Generator().manual_seed(2)
    decoder = TransformDecoder(5, 6, 4, 12, draw, dimensions=3)
    layers = torch.nn.Sequential(
        torch.nn.ConvTranspose3d(5, 6, 3, stride=2, padding=1),
        torch.nn.SELU(),
        torch.nn.ConvTranspose3d(6, 4, 3, stride=2, padding=1),
    )
    layers.load_state_dict(
        {
            "0.weight": decoder.first,
            "0.bias": decoder.first_bias,
            "2.weight": decoder.second,
            "2.bias": decoder.second_bias,
        }
    )
    latents = torch.randint(-9, 10, (5, 3, 4, 2), generator=draw)
    made = decoder(latents.float(), (8, 11, 5)).detach()
    assert made.shape == (4, 8, 11, 5)
    torch.testing.assert_close(made, layers(latents[None].float())[0, :, :8, :11, :5], atol=0.05, rtol=0.01)
    torch.testing.assert_close(decoder.whole()(latents, (8, 11, 5)), made, atol=5e-3, rtol=1e-4)


def test_volumes_are_the_same_on_any_number_of_threads():
    draw = torch.Generator().manual_seed(1)
    decoder = TransformDecoder(40, 24, 4, 8, draw, dimensions=3).whole()
    latents, before = torch.randint(-30, 31, (40, 6, 6, 6), generator=draw), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(decoder(latents, (21, 21, 21)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
