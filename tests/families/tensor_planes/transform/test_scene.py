"""What scenes have in common by a codec that was learned from others."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import CollectionError
from manyfields.families.tensor_planes.transform.codec import TransformCodec
from manyfields.families.tensor_planes.transform.scene import CommonTransform
from manyfields.families.tensor_planes.transform.stream import decode_coded, encode_coded, part_sizes


@pytest.fixture
def scene(scenes):
    return replace(scenes.scene(), common=True)


@pytest.fixture
def common(scene) -> CommonTransform:
    return CommonTransform(scene.decoder, scene.tables)


def test_layers_hold_neither_decoder_nor_tables(scene, common, scenes):
    codec = TransformCodec(scenes.CONFIG, common)
    ((data,),) = codec.layers_of([scene])
    assert (data[4], data[7]) == (2, 4)
    assert list(part_sizes(data)) == ["header", "alpha mask", "vectors", "masks", "latents"]
    assert part_sizes(data)["header"] == 144 and sum(part_sizes(data).values()) == len(data)
    own = decode_coded(encode_coded(scenes.scene()), scenes.CONFIG)
    for one, two in zip(codec.decode([[data]]).grids[0].tensors, own.grids().tensors, strict=True):
        assert torch.equal(one, two)
    assert encode_coded(codec.scenes([[data]])[0]) == data
    # A codec with a decoder reads scenes with decoders of their own as well.
    assert not codec.scenes([[encode_coded(scenes.scene())]])[0].common


def test_it_comes_back_from_its_tensors(common):
    again = CommonTransform.from_tensors(common.tensors(), common.config())
    assert again.sizes == common.sizes == (3, 4, 5, 8)
    assert torch.equal(again.tables.frequencies, common.tables.frequencies) and again.tables.lowest == -3
    latents = torch.randint(-3, 4, (3, 4, 5))
    assert torch.equal(again.decoder(latents, (13, 15)), common.decoder(latents, (13, 15)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": None}, "do not fit their config"),
        ({"hidden": 0}, "0 hidden channels"),
        ({"channels": 5000}, "5000 channels"),
        ({"bits": 3}, "a decoder of 3 bits"),
        ({"latent": 4}, "table"),
        ({"hidden": 5}, "decoder"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(changes, message, common):
    with pytest.raises(CollectionError, match=message):
        CommonTransform.from_tensors(common.tensors(), {**common.config(), **changes})
    with pytest.raises(CollectionError, match="do not fit their config"):
        CommonTransform.from_tensors({}, common.config())


def test_scenes_of_another_codec_are_refused(scene, common, scenes):
    data = encode_coded(scene)
    with pytest.raises(CollectionError, match="a codec learned from other scenes, which is not at hand"):
        decode_coded(data, scenes.CONFIG)
    other = CommonTransform(scenes.scene(hidden=9).decoder, scene.tables)
    with pytest.raises(CollectionError, match=r"sizes \(3, 4, 5, 8\), that of the codec has \(3, 9, 5, 8\)"):
        decode_coded(data, scenes.CONFIG, other)
    for cut in range(0, len(data), 7):
        with pytest.raises(CollectionError):
            decode_coded(data[:cut], scenes.CONFIG, common)
