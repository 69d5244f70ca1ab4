"""What holds of the codecs of every family."""

from dataclasses import fields, replace

import pytest

from manyfields.errors import ConfigError
from manyfields.families import registry
from manyfields.families.codec import Codec, StoredCodec, check_views, name_in_file, whole
from manyfields.families.registry import FAMILIES, register

CODECS = [(row.name, codec) for row in FAMILIES.values() for codec in row.codecs]
STORED = {
    ("fused-planes", "transform"): "transform-micro",
    ("fused-planes", "vq"): "vq-micro",
    ("octree", "vq"): None,
    ("tensorf", "pyramid"): "pyramid",
    ("tensorf", "transform"): "transform",
    ("factor-fields", "transform"): "transform",
}
FIRST = {
    "fused-planes": "float16",
    "octree": "octree",
    "tensorf": "tensorf",
    "factor-fields": "factor-fields",
    "mixture": "float16",
}


def test_names_are_those_that_files_have():
    found = {(row, codec.name): name_in_file(codec) for row, codec in CODECS if codec.collections}
    for row, name in FIRST.items():
        assert FAMILIES[row].codecs[0].name == name and found.pop((row, name)) is None
    assert found == STORED


@pytest.mark.parametrize("row", FAMILIES.values(), ids=lambda row: row.name)
def test_a_row_names_each_codec_once(row):
    names, stored = [codec.name for codec in row.codecs], [name_in_file(codec) for codec in row.codecs[1:]]
    assert len(set(names)) == len(names) and len(set(stored)) == len(stored)
    assert not fields(row.codecs[0].settings) and not row.codecs[0].knob


@pytest.mark.parametrize(("row", "codec"), CODECS, ids=lambda value: getattr(value, "__name__", value))
def test_knobs_and_curves_are_those_of_the_settings(row, codec):
    settings = codec.settings()
    if codec.knob:
        assert codec.knob in {field.name for field in fields(settings)} and codec.values
        assert len({repr(codec.at(settings, value)) for value in codec.values}) == len(codec.values)
    for given in codec.curves.values():
        assert replace(settings, **{**codec.curve_settings, **given}) != settings


def test_a_codec_joins_a_family_from_outside(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", dict(FAMILIES))

    class Mine(FAMILIES["octree"].codecs[0]):
        name, stored_as, knob = "mine", "", "most"

        @classmethod
        def open(cls, config, tensors, stored: StoredCodec):
            codec = super().open(config, tensors, stored)
            codec.made = stored.plan
            return codec

    row = FAMILIES["octree"]
    register(replace(row, codecs=(*row.codecs, Mine)))
    assert registry.FAMILIES["octree"].codecs[-1] is Mine and Mine not in FAMILIES["octree"].codecs
    assert name_in_file(Mine) == "mine"


def test_defaults_are_those_of_a_codec_that_learns_nothing():
    class Plain(Codec):
        name = "plain"

        def __init__(self, made):
            self.made = made

        @classmethod
        def open(cls, config, tensors, stored):
            return cls(stored.plan)

        def encode(self, codes, objects=None, progress=None):
            return [[b"abc"]] * len(codes)

        def decode(self, objects):
            return len(objects)

    assert Plain.plan(Plain.settings(), None, 3, print) == {"seed": 3, "steps": 0, "plain": {}}
    codec = Plain.open(None, {}, StoredCodec(plan={"seed": 1}))
    assert codec.made == {"seed": 1} and codec.first_wave([1, 2], None, print) == (codec, [[b"abc"]] * 2)
    assert codec.part_sizes([b"ab", b"c"]) == {"layers": 3} and codec.minor([[b"a"]]) == 0
    assert not codec.tensors() and not codec.looks_at_views and codec.describe() == ""
    assert codec.shared_file({"a": 1}, {"b": 2}) == ({"a": 1}, {"b": 2}) and codec.shared_of([], "shared") == "shared"


def test_what_is_checked_for_codecs():
    class Without:
        path, with_views = "runs/truck", False

    with pytest.raises(ConfigError, match="runs/truck: it learns from the views .* restore them"):
        check_views(Without(), "it learns from")
    assert whole(4.0, "bits") == 4
    with pytest.raises(ConfigError, match=r"bits: 2.5 is no whole number"):
        whole(2.5, "bits")
