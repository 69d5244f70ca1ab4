"""Stored objects render from their bytes as the shared part renders their codes; what does not fit is named."""

from pathlib import Path

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.collection import Collection, ObjectRecord, create_collection
from manyfields.collection.shared_file import open_shared_part, shared_config, shared_tensors, stored_sampler
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.families.registry import codec_of
from manyfields.fields import Codes
from manyfields.latents.compact import CompactConfig, compact_autoencoder
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

BOUNDS = [[-0.5, -0.6, -0.4], [0.6, 0.5, 0.7]]
SAMPLER = Sampler(4, 4)


def new_shared() -> SharedPart:
    """Untrained, but with values that float16 holds exactly."""
    torch.manual_seed(0)
    autoencoder = compact_autoencoder(CompactConfig(4, 4, 8, 1, 1, 8))
    generator = torch.Generator().manual_seed(1)
    shared = SharedPart(FusedPlanes(FusedPlanesConfig(2, 3, 2, 8, 8, channels=4), generator), autoencoder)
    with torch.no_grad():
        for parameter in shared.parameters():
            parameter.copy_(parameter.half().float())
        autoencoder.mean.copy_(torch.rand(4) / 3)
    return shared


def new_codes(shared: SharedPart) -> Codes:
    codes = shared.family.new_codes(2, torch.Generator().manual_seed(2))
    return Codes({name: tensor.half().float() for name, tensor in codes.tensors.items()})


def write(path: Path, shared: SharedPart, **changes) -> Collection:
    tensors, encoder = shared_tensors(shared)
    config = {**shared_config(shared, SAMPLER), **changes}
    collection = create_collection(path, shared=tensors, config=config, encoder=encoder)
    layers = codec_of(shared).encode(new_codes(shared))
    collection.append([ObjectRecord(name, layers[row], bounds=BOUNDS) for row, name in enumerate(("mug", "cup"))])
    return collection


@pytest.mark.parametrize("level", [None, 1, 2])
def test_renders_what_the_shared_part_renders(tmp_path, level):
    shared = new_shared().eval()
    collection = write(tmp_path / "c", shared)
    cameras = orbit(10, width=16, height=12)
    seen = collection["cup"].render(cameras, level=level)
    with torch.no_grad():
        bounds = torch.tensor(BOUNDS)[None]
        expected = shared.pictures(new_codes(shared)[1], cameras[None], bounds, SAMPLER, level=level)
    assert seen.images.shape == (1, 10, 3, 12, 16) and seen.depth.shape == (1, 10, 3, 4)
    torch.testing.assert_close(seen.latents, expected.latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen.images, expected.images.clamp(0, 1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen.opacity, expected.opacity, rtol=1e-4, atol=1e-5)


def test_coarse_codes_lack_the_fine_layer(tmp_path):
    shared = new_shared()
    item = write(tmp_path / "c", shared)["mug"]
    whole, coarse = item.code(), item.code(1)
    assert torch.equal(whole.tensors["micro"], new_codes(shared)[0].tensors["micro"])
    assert torch.equal(coarse.tensors["weights"], whole.tensors["weights"]) and not coarse.tensors["micro"].any()
    assert not torch.equal(
        item.render(orbit(1, width=8, height=8)).latents, item.render(orbit(1, width=8, height=8), 1).latents
    )


def test_layer_0_is_read_without_the_fine_layer(tmp_path):
    collection = write(tmp_path / "c", new_shared())
    path = tmp_path / "c" / "codes-00000.safetensors"
    begin, end = collection.entry("mug").ranges[1]
    data = bytearray(path.read_bytes())
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    item = collection["mug"]
    item.render(orbit(1, width=8, height=8), level=1)
    with pytest.raises(CollectionError, match=r"codes-00000.*'mug', layer 1"):
        item.render(orbit(1, width=8, height=8))


def test_what_the_index_says_is_at_hand(tmp_path):
    item = write(tmp_path / "c", new_shared())["mug"]
    assert (
        item.id == "mug" and item.bounds.tolist() == BOUNDS and item.bytes == sum(codec_of(new_shared()).layer_bytes())
    )
    with pytest.raises(AttributeError):
        _ = item.wings


def test_sizes_that_do_not_divide(tmp_path):
    with pytest.raises(ConfigError, match="10x8 do not divide by the stride 4"):
        write(tmp_path / "c", new_shared())["mug"].render(orbit(1, width=10, height=8))


def test_without_encoder_objects_render_but_nothing_can_be_fitted(tmp_path):
    shared = new_shared()
    tensors, _ = shared_tensors(shared)
    collection = create_collection(tmp_path / "c", shared=tensors, config=shared_config(shared, SAMPLER))
    collection.append([ObjectRecord("mug", codec_of(shared).encode(new_codes(shared))[0])])
    assert collection["mug"].render(orbit(1, width=8, height=8)).images is not None
    with pytest.raises(CollectionError, match="has no encoder, which fitting needs"):
        open_shared_part(collection, with_encoder=True)


def test_rendering_does_not_open_the_encoder_file(tmp_path):
    collection = write(tmp_path / "c", new_shared())
    next((tmp_path / "c").glob("encoder-*")).unlink()
    assert collection["mug"].render(orbit(1, width=8, height=8)).images is not None
    with pytest.raises(CollectionError, match="encoder-"):
        open_shared_part(collection, with_encoder=True)


def test_the_encoder_comes_back(tmp_path):
    shared = new_shared().eval()
    opened = open_shared_part(write(tmp_path / "c", shared), with_encoder=True)
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(opened.autoencoder.encode(images), shared.autoencoder.encode(images))
    assert not any(parameter.requires_grad for parameter in opened.parameters())


FAMILY = {"family": "fused-planes", "micro_features": 2, "macro_features": 3, "base_planes": 2, "resolution": 8}


@pytest.mark.parametrize(
    "changes",
    [
        {"family": {"family": "octrees"}},
        {"family": {**FAMILY, "wings": 2}},
        {"family": {**FAMILY, "hidden": 9, "channels": 4}},
        {"family": {**FAMILY, "hidden": "8"}},
        {"family": "fused-planes"},
        {"family": None},
        {"autoencoder": {"autoencoder": "magic"}},
        {"autoencoder": None},
        {"autoencoder": [1]},
        {"codec": "rle"},
    ],
)
def test_configs_that_do_not_fit(tmp_path, changes):
    collection = write(tmp_path / "c", new_shared(), **changes)
    with pytest.raises(CollectionError) as caught:
        collection["mug"].render(orbit(1, width=8, height=8))
    assert str(tmp_path / "c") in str(caught.value)


@pytest.mark.parametrize("name", ["codec", "family", "autoencoder", "sampler"])
def test_configs_that_lack_something(tmp_path, name):
    shared = new_shared()
    tensors, encoder = shared_tensors(shared)
    config = {key: value for key, value in shared_config(shared, SAMPLER).items() if key != name}
    collection = create_collection(tmp_path / "c", shared=tensors, config=config, encoder=encoder)
    collection.append([ObjectRecord("mug", codec_of(shared).encode(new_codes(shared))[0])])
    with pytest.raises(CollectionError):
        collection["mug"].render(orbit(1, width=8, height=8))


@pytest.mark.parametrize("sampler", [{"stratified": 1}, {"wings": 2}, 3, None])
def test_samplers_without_meaning(tmp_path, sampler):
    with pytest.raises(CollectionError, match="no usable sampler"):
        stored_sampler(write(tmp_path / "c", new_shared(), sampler=sampler))


def test_a_layer_of_the_wrong_size_is_named(tmp_path):
    shared = new_shared()
    tensors, encoder = shared_tensors(shared)
    collection = create_collection(
        tmp_path / "c", shared=tensors, config=shared_config(shared, SAMPLER), encoder=encoder
    )
    collection.append([ObjectRecord("mug", [b"12345"])])
    with pytest.raises(CollectionError, match="object 'mug': layer 0 has 5 bytes"):
        collection["mug"].code()


def test_what_is_stored_is_16_bit_but_for_statistics():
    rendering, encoder = shared_tensors(new_shared())
    exact = {name for name, tensor in rendering.items() if tensor.dtype == torch.float32}
    assert exact == {"background", "autoencoder.mean", "autoencoder.std", "family.start"}
    assert encoder and all(name.startswith("autoencoder.encoder.") for name in encoder)
    assert not any(name.startswith("autoencoder.encoder.") for name in rendering)


def test_objects_with_hulls_render_from_their_bytes_at_each_level(tmp_path):
    config = FusedPlanesConfig(2, 3, 2, 8, 8, channels=3, space="rgb", span="box", hull=6, activation="relu")
    shared = SharedPart(FusedPlanes(config, torch.Generator().manual_seed(1)), None).eval()
    with torch.no_grad():
        for parameter in shared.parameters():
            parameter.copy_(parameter.half().float())
    codes = shared.family.new_codes(1, torch.Generator().manual_seed(2))
    codes = Codes({name: tensor if name == "hull" else tensor.half().float() for name, tensor in codes.tensors.items()})
    codes.tensors["hull"][0, :, 3:] = 0
    sampler = Sampler(4, 4, guided=6, bins=16, supersampling=2)
    collection = create_collection(
        tmp_path / "c", shared=shared_tensors(shared)[0], config=shared_config(shared, sampler)
    )
    collection.append([ObjectRecord("mug", codec_of(shared).encode(codes)[0], bounds=BOUNDS)])
    item, cameras, bounds = collection["mug"], orbit(2, width=12, height=10), torch.tensor(BOUNDS)[None]
    seen = {level: item.render(cameras, level) for level in (1, 2, 3, None)}
    for level, pictures in seen.items():
        with torch.no_grad():
            expected = shared.pictures(codes, cameras[None], bounds, sampler, level=level)
        torch.testing.assert_close(pictures.images, expected.images.clamp(0, 1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(pictures.opacity, expected.opacity, rtol=1e-4, atol=1e-5)
    assert torch.equal(seen[3].images, seen[None].images)
    assert not torch.equal(seen[1].images, seen[2].images) and not torch.equal(seen[2].images, seen[3].images)
    assert bool((item.code(1).tensors["hull"] == 1).all())
    assert torch.equal(item.code(2).tensors["hull"], codes.tensors["hull"])
