import numpy as np
import pytest

from manyfields.errors import ConfigError
from manyfields.views.mesh_renderer.light import directions, exposed, irradiance, read_light, studio


def write_hdr(path, panorama):
    """A Radiance file of uncompressed RGBE pixels (Ward 1994), written without the code under test."""
    height, width = panorama.shape[:2]
    largest = panorama.max(-1)
    mantissa, exponent = np.frexp(np.maximum(largest, 1e-30))
    scale = (mantissa * 256 / np.maximum(largest, 1e-30))[..., None]
    rgbe = np.concatenate([panorama * scale, (exponent + 128)[..., None]], axis=-1).astype(np.uint8)
    rgbe[largest < 1e-20] = 0
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode()
    path.write_bytes(header + rgbe.tobytes())
    return path


def test_the_studio_is_brighter_above_and_no_face_is_too_bright():
    light = studio()
    assert light.shape == (64, 128, 3) and (light > 0).all()
    assert light[:16].mean() > 1.3 * light[-16:].mean()
    seen = irradiance(light, directions(32))
    assert seen.max() == pytest.approx(1, abs=0.01) and seen.min() > 0.35


def test_irradiance_is_the_cosine_weighted_mean_of_the_panorama():
    generator = np.random.default_rng(0)
    smooth = 1 + directions(32) @ generator.normal(size=(3, 3)) * 0.3
    toward = directions(32)
    area = np.sqrt(1 - toward[..., 2] ** 2) * (np.pi / 32) ** 2
    normals = generator.normal(size=(5, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cosines = np.maximum(np.einsum("hwi,ni->nhw", toward, normals), 0)
    expected = np.einsum("nhw,hw,hwc->nc", cosines, area, smooth) / np.pi
    np.testing.assert_allclose(irradiance(smooth, normals), expected, atol=0.01)


def test_a_radiance_file_keeps_its_directions_and_ratios(tmp_path):
    panorama = np.full((32, 64, 3), 0.25, dtype=np.float32)
    panorama[4:8, 40:48] = (8, 4, 2)
    light = read_light(write_hdr(tmp_path / "sky.HDR", panorama))
    assert light.mirrored and light.name.startswith("sky.HDR ") and len(light.name) == len("sky.HDR ") + 16
    ratio = light.panorama / exposed(panorama)
    np.testing.assert_allclose(ratio, 1, atol=0.03)


def with_runs(path):
    """The same file with the rows of each channel in runs where they can be, else in literals."""
    data = path.read_bytes()
    start = data.index(b"X 64\n") + 5
    rgbe = np.frombuffer(data[start:], np.uint8).reshape(-1, 64, 4)
    body = b""
    for row in rgbe:
        body += b"\x02\x02\x00\x40"
        for channel in row.T:
            alike = (channel == channel[0]).all()
            body += bytes([128 + 64, channel[0]]) if alike else bytes([30]) + channel[:30].tobytes()
            body += b"" if alike else bytes([34]) + channel[30:].tobytes()
    (path.parent / "runs.hdr").write_bytes(data[:start] + body)
    return path.parent / "runs.hdr"


def test_run_lengths_are_undone(tmp_path):
    panorama = np.full((32, 64, 3), 0.25, dtype=np.float32)
    panorama[4:8, 40:48] = (8, 4, 2)
    plain = write_hdr(tmp_path / "a.hdr", panorama)
    np.testing.assert_array_equal(read_light(with_runs(plain)).panorama, read_light(plain).panorama)
    runs = with_runs(plain).read_bytes()
    (tmp_path / "cut.hdr").write_bytes(runs[:-9])
    with pytest.raises(ConfigError, match="is cut short"):
        read_light(tmp_path / "cut.hdr")


def test_large_panoramas_are_averaged(tmp_path):
    panorama = np.random.default_rng(0).uniform(0.5, 1, (512, 1024, 3)).astype(np.float32)
    light = read_light(write_hdr(tmp_path / "a.hdr", panorama))
    assert light.panorama.shape == (256, 512, 3)


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


BAD = {
    "word": ("dusk", None, "'dusk' is not known; use studio, flat, or a Radiance file"),
    "absent": ("none.hdr", None, "none.hdr: cannot be read .No such file"),
    "picture": ("a.hdr", lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(100)), "is not a Radiance file"),
    "empty": ("a.hdr", lambda path: path.write_bytes(b""), "is not a Radiance file"),
    "cut": ("a.hdr", cut, "a.hdr: is cut short or damaged"),
    "dark": ("a.hdr", lambda path: write_hdr(path, np.zeros((16, 32, 3))), "holds no light"),
    "square": ("a.hdr", lambda path: write_hdr(path, np.ones((32, 32, 3))), "is 32x32; a panorama is twice as wide"),
    "bomb": (
        "a.hdr",
        lambda path: path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 500000 +X 1000000\n"),
        "is 1000000x500000; a panorama",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_light_is_named_in_one_line(tmp_path, case):
    name, change, message = BAD[case]
    path = tmp_path / name
    if change is not None:
        write_hdr(path, np.random.default_rng(0).uniform(0.5, 1, (16, 32, 3)))
        change(path)
    with pytest.raises(ConfigError, match=message) as caught:
        read_light(path if path.suffix else name)
    assert "\n" not in str(caught.value)
