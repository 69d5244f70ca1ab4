"""A small set in transform coding."""

import pytest

from manyfields.families.fused_planes.latents.layers import TransformMicroLayers
from manyfields.fields import Codes


@pytest.fixture(scope="session")
def codes(micros) -> Codes:
    return micros.codes()


@pytest.fixture(scope="session")
def codec(micros, codes) -> TransformMicroLayers:
    return micros.codec(codes)


@pytest.fixture(scope="session")
def encoded(codec, codes):
    return codec.layers_of(codes)
