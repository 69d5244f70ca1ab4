"""Streams that meshoptimizer 1.2 wrote (its JavaScript encoder), of values that are made again here."""

import base64
import contextlib

import numpy as np
import pytest

from manyfields.errors import MeshError
from manyfields.views.gltf.meshopt import decoded

# version 0, version 1, version 1 at its highest level; then floats whose bits are XORed
ATTRIBUTES = [
    (
        "oP////8ADhAcKDRKTFhkcIaIlKCswsTQ3Oj+//Pn28XDt6ufiYd7b2NNSz8zJxEPAwgUKiw4RFBmaHSAjKKksLzI3uDs+Pvl49fL"
        "v6mnm4+DbWtfU0cxLyMXCwoMGCQwRkhUYGyChJCcqL7AzNjk+vz369/Jx7uvo42Lf3NnUU9DNysVEwcEECYoNEBMYmRwfIieoKy4"
        "xNrc6PT/6efbz8Otq5+Th3FvY1dLNTMnGw8GCBQgLEJEUFxofoCMmKS6vMjU4Pb4++/jzcu/s6eRj4N3a1VTRzsvGRcLAAwiJDA8"
        "SF5gbHiEmpyotMDW2OTw/O3r39PHsa+jl4t1c2dbTzk3Kx8TlaqqqgAACAiCIiKKiqKqqkIiIkIkIkJCQkJCRCRCRERCREREREZE"
        "RGREZEZGRkZGZGRmZGZmZmZmZmZmZoZmhoZoaGhoaIaIhoiIaIiIiIioiIioioioqKioqKqKqKqqqKqqqqqsqqrKqsqsrKysrMrK"
        "zMrMzMzM/v///wgQIMRET4aKEBQKCgwOFg4QEBAaEhQSFCAWFhYYJBgaHBwmHB4gHioiIiIiLiYkJigyKCgqLDQsLi4uODAyMDI+"
        "NDQ0NkI2ODo6RDo8PjxIQEBAQExEQkRGUEZGSEpSSkxMTFZOUE5QXFJSUlRgVFZYWGJYWlxaZl5eXl5qYmBiZG5kZGZocGhqamp0"
        "bG5sbnpwcHByfnJ0dnaAdnh6eIR8fHx8iIB+gIKMgoKEho6GiIiIkoqMioyYjo6OkJyQkpSUnpSWmJaimpqamqaenJ6gqqCgoqSs"
        "pKamprCoqqiqtqysrK66rrCysryytLa0wLi4uLjEvLq8vlFVVVUAAAIAAAIAAAAIAAAgAAIAAIAAgAIACACACACAIAgCAIAgIAgI"
        "CAgICAgIICCAgggIIIIICCIIIIIIIghVpaqqNV1TUQgICNR0TBMKCggKEMQwDAoKCoMI4LgKCgqMiyjqDAwMuq6rqgoMDuIiTCQk"
        "xCQuQkLkQk5ERORETkRE5GROZGTmRk9GRvRmEBBuZmbmZm9mZhD2Zm+GaPaGjxIQEBCGhvaIb4aI+BISEoaPiIj4io+IEhISqPio"
        "j4qK+ooSFBKvqKr4qq+qqhIUFEAAEAQAAAAIIAAAAAAAAgAQERERgAAAAIAAAACAAAAAgAAAAIAAAACAAAAAgAAAAAAAAAA/AgQQ"
        "HCg+QExYZHp8iJSgtrjE0Nzy9P/z59HPw7erlZOHe29ZV0s/Mx0bDwMAAAAAKszMzMzM7Mzs7M7Ozs7O7O7s7u7O7u4AAD/Ivr7A"
        "wsrCxMTEzsbIxsjUysrKzNjMztDQ2tDS1NLe1tbW1uLa2Nrc5tzc3gAAAAAVIggiCIIgiCIgiIIAKvqqr6qq+qrPFBQWFMqs/Kyv"
        "rMr8FBYWys/MrPzMAAAWFgEAAIAAEYAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA6APQBwAA"
    ),
    (
        "oZOJAA4QHCg0SkxYZHCGiJSgrMLE0Nzo/gAMGCQ6PEhUYHZ4hJCcsrTAzNju8PwIFCosOERQZmh0gIyipLC8yN7g7PgEGhwoNEBW"
        "WGRwfJKUoKy4ztDc6PQKDBgkMEZIVGBsgoSQnKi+wMzY5Pr8CBQgNjhEUFxydICMmK6wvMjU6uz4BBAmKDRATGJkcHyInqCsuMTa"
        "3Oj0ABYYJDA8UlRgbHiOkJyotMrM2OTwBggUICxCRFBcaH6AjJikurzI1OD2+AQQHDI0QExYbnB8iJSqrLjE0Obo9AAMIiQwPEhe"
        "YGx4hJqcqLTA1tjk8PwSFCAsOE5QXGh0ioyYpLDGyNTg7Kj///8ABVVVVVVVqqqqqqojMzMzMzMzMzMzM0REREREREREREREVVVV"
        "VVVVVVVVVVZmZmZmZmZmZmZmd3d3d3d3d3d3d3iIiIiIiIiIiIiIiZmZmZmZmZmZmZmqqqqqqqqqqqqqqru7u7u7u7u7u7v+////"
        "CBAgxERPhooQFAoKDA4WDhAQEBoSFBIUIBYWFhgkGBocHCYcHiAeKiIiIiIuJiQmKDIoKCosNCwuLi44MDIwMj40NDQ2QjY4OjpE"
        "Ojw+PEhAQEBATERCREZQRkZISlJKTExMVk5QTlBcUlJSVGBUVlhYYlhaXFpmXl5eXmpiYGJkbmRkZmhwaGpqanRsbmxuenBwcHJ+"
        "cnR2doB2eHp4hHx8fHyIgH6AgoyCgoSGjoaIiIiSioyKjJiOjo6QnJCSlJSelJaYlqKampqapp6cnqCqoKCipKykpqamsKiqqKq2"
        "rKysrrqusLKyvLK0trTAuLi4uMS8ury+VaWqqjVdU1EICAjUdEwTCgoIChDEMAwKCgqDCOC4CgoKjIso6gwMDLquq6oKDA7iIkwk"
        "JMQkLkJC5EJORETkRE5ERORkTmRk5kZPRkb0ZhAQbmZm5mZvZmYQ9mZvhmj2ho8SEBAQhob2iG+GiPgSEhKGj4iI+IqPiBISEqj4"
        "qI+KivqKEhQSr6iq+KqvqqoSFBQQERERAQACAQACAQACAQACAQACAQACAQACt4kCBBAcKD5ATFhkenyIlKC2uMTQ3PL0AAwYLjA8"
        "SFRqbHiEkKaotMDM4uTw/CrMzMzMzMzMzMzMzN3d3d3d3d3d3d3dAADIvr7AwsrCxMTEzsbIxsjUysrKzNjMztDQ2tDS1NLe1tbW"
        "1uLa2Nrc5tzc3ir6qq+qqvqqzxQUFhTKrPysr6zK/BQWFsrPzKz8zAAAFhYRAQACAQACAAAAAAAAAAAAAAAAAAAAAOgD0AcAAAEB"
    ),
    (
        "oZOJAA4QHCg0SkxYZHCGiJSgrMLE0Nzo/gAMGCQ6PEhUYHZ4hJCcsrTAzNju8PwIFCosOERQZmh0gIyipLC8yN7g7PgEGhwoNEBW"
        "WGRwfJKUoKy4ztDc6PQKDBgkMEZIVGBsgoSQnKi+wMzY5Pr8CBQgNjhEUFxydICMmK6wvMjU6uz4BBAmKDRATGJkcHyInqCsuMTa"
        "3Oj0ABYYJDA8UlRgbHiOkJyotMrM2OTwBggUICxCRFBcaH6AjJikurzI1OD2+AQQHDI0QExYbnB8iJSqrLjE0Obo9AAMIiQwPEhe"
        "YGx4hJqcqLTA1tjk8PwSFCAsOE5QXGh0ioyYpLDGyNTg7Kj///8ABVVVVVVVqqqqqqojMzMzMzMzMzMzM0REREREREREREREVVVV"
        "VVVVVVVVVVZmZmZmZmZmZmZmd3d3d3d3d3d3d3iIiIiIiIiIiIiIiZmZmZmZmZmZmZmqqqqqqqqqqqqqqru7u7u7u7u7u7v+////"
        "CBAgxERPhooQFAoKDA4WDhAQEBoSFBIUIBYWFhgkGBocHCYcHiAeKiIiIiIuJiQmKDIoKCosNCwuLi44MDIwMj40NDQ2QjY4OjpE"
        "Ojw+PEhAQEBATERCREZQRkZISlJKTExMVk5QTlBcUlJSVGBUVlhYYlhaXFpmXl5eXmpiYGJkbmRkZmhwaGpqanRsbmxuenBwcHJ+"
        "cnR2doB2eHp4hHx8fHyIgH6AgoyCgoSGjoaIiIiSioyKjJiOjo6QnJCSlJSelJaYlqKampqapp6cnqCqoKCipKykpqamsKiqqKq2"
        "rKysrrqusLKyvLK0trTAuLi4uMS8ury+VaWqqjVdU1EICAjUdEwTCgoIChDEMAwKCgqDCOC4CgoKjIso6gwMDLquq6oKDA7iIkwk"
        "JMQkLkJC5EJORETkRE5ERORkTmRk5kZPRkb0ZhAQbmZm5mZvZmYQ9mZvhmj2ho8SEBAQhob2iG+GiPgSEhKGj4iI+IqPiBISEqj4"
        "qI+KivqKEhQSr6iq+KqvqqoSFBQQERERAQACAQACAQACAQACAQACAQACAQACt4kCBBAcKD5ATFhkenyIlKC2uMTQ3PL0AAwYLjA8"
        "SFRqbHiEkKaotMDM4uTw/CrMzMzMzMzMzMzMzN3d3d3d3d3d3d3dAADIvr7AwsrCxMTEzsbIxsjUysrKzNjMztDQ2tDS1NLe1tbW"
        "1uLa2Nrc5tzc3ir6qq+qqvqqzxQUFhTKrPysr6zK/BQWFsrPzKz8zAAAFhYRAQACAQACAAAAAAAAAAAAAAAAAAAAAOgD0AcAAAEB"
    ),
    (
        "oZqamisAYGBQMDAwMDAYGBgYGBgY///MzMzMzMwYGBgUzMzMzAAAAAArAGBgQDAwMDAoGBgYGBgYGP//zMzMzMzMGBgYEMzMzMwA"
        "AAAAKwBgYDAwMDAwIBgYGBgYGBj//MzMzMzMzBgYGMzMzMwAAAAAAAAAAAAAAAAAAACAPwAAkD8AAKA/AQEB"
    ),
]
# a grid, which shares edges; far indices, which do not
TRIANGLES = [
    (
        "4f4eEA4QDhAOEA4QDv4eGw4aDhkOGA4XDv8eFw4XDhcOFw4XDv8eFw4XDhcOFw4XDv8eFw4XDhcOFw4XDv8eFw4XDhcOFw4XDg8O"
        "vwJvCw5vCw5vCw5vCw4AdodWZ3iphmWJaJgBaQAA"
    ),
    (
        "4f7/////////////rg6hAf+0z5hI99GYSKEB/6EBvMqlKf/MpSn/oQGhAcTFsgr/h8iyCq4OoQH//LTuSr+37kqhAf+hAYSw+yvH"
        "svsr/6EBoQGMq4gN/8+tiA2uDqEB/8SaxE2HncRNoQEAdodWZ3iphmWJaJgBaQAA"
    ),
]
INDICES = [
    (
        "0QAEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhIEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhIE"
        "GBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhIEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhIEGBYc"
        "AhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhIEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAhYEGBYcAgAAAAA="
    ),
    (
        "0QDdHJgapZyxkAGGBbOmsZABhgW1kstShgXDnMtShgXFiOUUhgWz8+QUmBq159yVAYYFw/HclQGGBcXd9leGBdPn9leGBdXTkBqG"
        "BcO+kBqYGsWyiJsBhgXTvIibAQAAAAA="
    ),
]
FILTERS = [
    ("OCTAHEDRAL", 4, "oa8Aq/c5C+cANYnmahEAAAAAAAAAAAAAAAAAAAAAAAAAfwB/AAA="),
    ("OCTAHEDRAL", 8, "of+qAMViRLFZAAkPAwASAJ6xeq7qAAMJEAYBAAAAAAAAAAAAAAAAAAD/BwAA/wcAAAAA"),
    ("QUATERNION", 8, "of+vADcBZP47AAsJBwkHAF6+WsAWAFMGTFcUAFDv9pLVAC1eNyFeAAAAAAAAAAAAAAAAAAAAACYbAAD+HwAA"),
    (
        "EXPONENTIAL",
        16,
        (
            "oV9fX2oA12uM8QUABHlJLHgAJAABAgACAAEA0b6TwOYALR9eAVgACgABAgACAAEADwX1y54AYLlUWaIAJAABAgACAAEAAgABAAAA"
            "AAAgAPMAAADzAAAA8wAAAPMAAAAA"
        ),
    ),
    ("COLOR", 4, "ofcAGhgaGnMAIADnAOjn6OeLAH1/mH2YAAAAAAAAAAAAAAAAAAAAAAAAAG3aRv8A"),
    ("COLOR", 8, "oV//AGVnZWXMAAICAgIHACAAZwAgABIAaGdoZ8sAERIREgcAAgBnAmcABQcIBwoAAAAAAAAAAAAAAAAAAM0Gmv1mBP8PAAA="),
]


def decode(data, count, stride, mode, **more):
    return decoded(base64.b64decode(data), {"count": count, "byteStride": stride, "mode": mode, **more})


def whole_numbers():
    i = np.arange(300)
    columns = [(i * i * 3 >> 4 * c) + 1000 * c + i * 7919 % 5 for c in range(3)]
    return np.stack([*columns, i >> 5], axis=1).astype("<u2")


@pytest.mark.parametrize("stream", ATTRIBUTES[:3])
def test_attributes_of_several_blocks(stream):
    assert decode(stream, 300, 8, "ATTRIBUTES") == whole_numbers().tobytes()


def test_attributes_whose_bits_are_combined():
    assert decode(ATTRIBUTES[3], 40, 12, "ATTRIBUTES") == (1 + np.arange(120, dtype="<f4") / 8).tobytes()


def grid():
    corner = np.arange(6) + 7 * np.arange(6)[:, None]
    return (corner.reshape(-1, 1) + [0, 1, 7, 1, 8, 7]).reshape(-1)


def far():
    i = np.arange(30)
    return i * 7919 % 1000 * np.where(i % 4 == 3, 100_000, 1)


def turned(indices):
    """Each triangle from its smallest vertex on: the coder may turn them."""
    return [tuple(np.roll(face, -int(np.argmin(face)))) for face in np.reshape(indices, (-1, 3)).tolist()]


@pytest.mark.parametrize(("stream", "indices"), [(TRIANGLES[0], grid()), (TRIANGLES[1], far())])
def test_triangles(stream, indices):
    found = np.frombuffer(decode(stream, len(indices), 4, "TRIANGLES"), "<u4")
    assert turned(found) == turned(indices)


@pytest.mark.parametrize(("stream", "indices"), [(INDICES[0], grid()), (INDICES[1], far())])
def test_indices(stream, indices):
    np.testing.assert_array_equal(np.frombuffer(decode(stream, len(indices), 4, "INDICES"), "<u4"), indices)
    short = np.frombuffer(decode(stream, len(indices), 2, "INDICES"), "<u2")
    np.testing.assert_array_equal(short, indices & 0xFFFF)


def expected(name):
    i = np.arange(6)
    if name == "QUATERNION":
        return np.stack([np.cos(i) * 0.6, np.sin(i) * 0.6, np.cos(3 * i) * 0.8, np.sin(3 * i) * 0.8], axis=1)
    if name == "COLOR":
        return (np.arange(24) * 7 % 11 / 10).reshape(6, 4)
    return np.stack([np.cos(i), np.sin(i) * np.cos(2 * i), np.sin(i) * np.sin(2 * i), 0 * i], axis=1)


@pytest.mark.parametrize(("name", "stride", "stream"), FILTERS)
def test_filters_give_back_what_went_in(name, stride, stream):
    kind = {4: "i1", 8: "<i2", 16: "<f4"}[stride].replace("i", "u" if name == "COLOR" else "i")
    values = np.frombuffer(decode(stream, 6, stride, "ATTRIBUTES", filter=name), kind).reshape(6, 4).astype(float)
    if kind != "<f4":
        values /= np.iinfo(kind.lstrip("<")).max
    wanted, error = expected(name), 0.02 if stride == 4 else 0.001
    if name == "QUATERNION":  # its negative is the same turn
        values *= np.sign((values * wanted).sum(1, keepdims=True))
    columns = 4 if name in ("QUATERNION", "COLOR") else 3
    np.testing.assert_allclose(values[:, :columns], wanted[:, :columns], atol=error)


@pytest.mark.parametrize(
    ("stream", "count", "stride", "mode"),
    [(ATTRIBUTES[0], 300, 8, "ATTRIBUTES"), (TRIANGLES[0], 216, 4, "TRIANGLES"), (INDICES[0], 216, 4, "INDICES")],
)
def test_damaged_streams_are_errors_and_take_no_memory(stream, count, stride, mode):
    data = base64.b64decode(stream)
    entry = {"count": count, "byteStride": stride, "mode": mode}
    for length in range(0, len(data), 5):
        with pytest.raises((ValueError, IndexError)):
            decoded(data[:length], entry)
    for change in ({"count": 3 * 2**40}, {"count": -3}, {"byteStride": 5}, {"count": count + 300}):
        with pytest.raises((ValueError, IndexError)):
            decoded(data, {**entry, **change})
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[random.integers(len(data))] ^= int(random.integers(1, 256))
        with contextlib.suppress(ValueError, IndexError):
            decoded(bytes(damaged), entry)


def test_views_of_a_file_are_decompressed(document, read):
    streams = [base64.b64decode(stream) for stream in (ATTRIBUTES[3], TRIANGLES[0])]
    document.json["buffers"] = [{"byteLength": 4096}, {"byteLength": 4096, "extensions": {}}]
    for data, count, stride, mode, length in zip(
        streams, (40, 216), (12, 4), ("ATTRIBUTES", "TRIANGLES"), (480, 864), strict=True
    ):
        index = document.view(data)
        where = document.json["bufferViews"][index]
        packed = {**where, "byteLength": len(data), "byteStride": stride, "count": count, "mode": mode}
        where.update(buffer=1, byteOffset=0, byteLength=length, extensions={"EXT_meshopt_compression": packed})
    document.json["accessors"] = [
        {"bufferView": 0, "componentType": 5126, "count": 40, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": 216, "type": "SCALAR"},
    ]
    document.json["meshes"][0]["primitives"] = [{"attributes": {"POSITION": 0}, "indices": 1}]
    document.json["extensionsRequired"] = document.json["extensionsUsed"] = ["EXT_meshopt_compression"]
    surface = read(document)[0][0]
    np.testing.assert_array_equal(surface.vertices.reshape(-1), 1 + np.arange(120) / 8)
    assert turned(surface.faces) == turned(grid())
    document.json["bufferViews"][1]["extensions"]["EXT_meshopt_compression"]["count"] = 213
    with pytest.raises(MeshError, match="buffer view 1 cannot be decompressed .meshopt: "):
        read(document)
