import base64

import numpy as np
import pytest

from manyfields.errors import MeshError
from manyfields.views.mesh import TextureSampler

RED = np.full((2, 2, 3), (200, 10, 20), np.uint8)
CHECKS = np.uint8([[[255] * 3, [0] * 3], [[0] * 3, [255] * 3]])


def material_of(read, document):
    surfaces, remarks = read(document)
    return surfaces[0].material, remarks


def test_samplers_are_read_for_each_texture(document, read):
    clamped = document.texture(RED, sampler={"wrapS": 33071, "wrapT": 33648, "magFilter": 9728})
    plain = document.texture(RED, sampler={"wrapS": 10497, "magFilter": 9729})
    index = document.material(
        pbrMetallicRoughness={"baseColorTexture": {"index": clamped}}, normalTexture={"index": plain, "scale": 0.5}
    )
    document.square(material=index)
    material, remarks = material_of(read, document)
    assert material.samplers == {"base": TextureSampler(("clamp", "mirror"), smooth=False)} and remarks == []
    assert material.normal_image is not None and material.normal_scale == 0.5


def test_every_texture_has_its_own_set_of_coordinates_and_transform(document, read):
    texture = document.texture(RED)
    move = {"KHR_texture_transform": {"offset": [0.5, 0], "scale": [2, 3], "texCoord": 1}}
    turn = {"KHR_texture_transform": {"rotation": np.pi / 2}}
    index = document.material(
        pbrMetallicRoughness={
            "baseColorTexture": {"index": texture, "extensions": turn},
            "metallicRoughnessTexture": {"index": texture, "extensions": turn},
        },
        emissiveTexture={"index": texture, "extensions": move},
        normalTexture={"index": texture, "texCoord": 1},
        emissiveFactor=[1, 1, 1],
    )
    second = np.float32([[0.1, 0.2]] * 4)
    document.square(material=index, TEXCOORD_1=second)
    surface = read(document)[0][0]
    first = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(surface.uv, np.stack([first[:, 1], -first[:, 0]], axis=1), atol=1e-6)
    assert set(surface.own_uv) == {"normal", "emissive"}
    np.testing.assert_allclose(surface.own_uv["normal"], second)
    np.testing.assert_allclose(surface.own_uv["emissive"], [[0.7, 0.6]] * 4, atol=1e-6)


def test_a_set_of_coordinates_that_is_missing_is_mentioned(document, read):
    document.square(material=document.painted(RED, texCoord=3))
    surfaces, remarks = read(document)
    assert remarks == ["a texture asks for TEXCOORD_3, which a mesh lacks; TEXCOORD_0 is taken"]
    np.testing.assert_allclose(surfaces[0].uv[0], [0, 1])
    document.json["meshes"][0]["primitives"] = []
    document.primitive(material=0)
    surfaces, remarks = read(document)
    assert remarks == ["a texture asks for TEXCOORD_3, which a mesh lacks; one colour of it is taken"]
    assert surfaces[0].uv.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("form", "extension"),
    [("PNG", None), ("WEBP", None), ("WEBP", "EXT_texture_webp"), ("AVIF", "EXT_texture_avif"), ("JPEG", None)],
)
def test_images_of_every_form_that_pillow_reads(document, read, form, extension):
    from PIL import features

    if form == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    image = np.full((16, 16, 3), (200, 10, 20), np.uint8)
    document.square(material=document.painted(document.texture(image, form, extension=extension)))
    material, remarks = material_of(read, document)
    assert np.abs(material.base_image.astype(int) - [200, 10, 20]).max() <= 4 and remarks == []


def test_the_plain_image_is_taken_where_an_extension_s_cannot_be_read_and_the_other_way_round(document, read):
    good, bad = document.texture(RED), document.texture(b"no image")
    for plain, other in ((good, bad), (bad, good)):
        entry = {"source": plain, "extensions": {"EXT_texture_webp": {"source": other}}}
        document.json["materials"] = []
        document.json["meshes"][0]["primitives"] = []
        document.square(material=document.painted(document.add("textures", entry)))
        material, remarks = material_of(read, document)
        np.testing.assert_array_equal(material.base_image, RED)
        assert remarks == []


def test_16_bits_of_grey_are_scaled_and_not_clipped(document, read):
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (2, 1))
    document.square(material=document.painted(ramp))
    image = material_of(read, document)[0].base_image
    np.testing.assert_allclose(image[0, :, 0], np.linspace(0, 255, 64), atol=1)


def test_a_base_colour_that_cannot_be_read_sets_the_mesh_aside_and_other_textures_are_left_out(document, read):
    bad = document.texture(b"no image")
    index = document.material(
        pbrMetallicRoughness={"metallicRoughnessTexture": {"index": bad}},
        normalTexture={"index": 77},
        emissiveTexture={"index": bad},
    )
    document.square(material=index)
    material, remarks = material_of(read, document)
    assert material.metallic_roughness_image is None and material.normal_image is None
    assert [remark.split(":")[0] for remark in remarks] == [
        "rendered without its metallic-roughness texture",
        "rendered without its normal texture",
    ]  # what has no emission needs no texture of it
    document.square(material=document.painted(bad))
    with pytest.raises(MeshError, match="a.glb: image 0 cannot be read .damaged or not an image"):
        read(document)


def test_what_a_lost_texture_would_have_held_back_does_not_fill_the_surface(document, read):
    bad = document.texture(b"no image")
    index = document.material(
        pbrMetallicRoughness={"metallicRoughnessTexture": {"index": bad}},
        emissiveTexture={"index": bad},
        emissiveFactor=[1, 1, 1],
    )
    document.square(material=index)
    material, remarks = material_of(read, document)
    assert material.metallic == 0 and material.emissive == (0, 0, 0) and len(remarks) == 2


def test_ktx2_is_decoded_or_the_message_says_what_to_install(document, read, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "opengl_basisu", None)
    texture = document.texture(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(100), extension="KHR_texture_basisu")
    document.square(material=document.painted(texture))
    with pytest.raises(MeshError, match=r"image 0 is KTX2; pip install 'manyfields\[ktx2\]', or export it with PNG"):
        read(document)


# 8 x 8 texels, a colour in each quarter, by basis_universal 2.50: ETC1S, and UASTC at half opacity
KTX2 = {
    255: (
        "q0tUWCAyMLsNChoKAAAAAAEAAAAIAAAACAAAAAAAAAAAAAAAAQAAAAEAAAABAAAAaAAAACwAAACUAAAAJAAAALgAAAAAAAAAigAA"
        "AAAAAABCAQAAAAAAAAIAAAAAAAAAAAAAAAAAAAAsAAAAAAAAAAIAKACjAQIAAwMAAAgAAAAAAAAAAAA/AAAAAAAAAAAA/////x8A"
        "AABLVFh3cml0ZXIAQmFzaXMgVW5pdmVyc2FsIDIuNTAAAAQAAgAuAAAACQAAACsAAAAAAAAAAAAAAAAAAAACAAAAAAAAAAAAAAAg"
        "QJQAAAAAAIgbFBfARAAAAAAAAHJBAJgAEAAAAABAPACmAAgAAACAIGkkXGIGrKqqqlJVVVUFAMFEAAAAAAAA8l+NAJgBAAAAAABA"
        "wgAwASAAAAAAgDgAmAAAAAAAAEAAAUQB"
    ),
    128: (
        "q0tUWCAyMLsNChoKAAAAAAEAAAAIAAAACAAAAAAAAAAAAAAAAQAAAAEAAAACAAAAaAAAACwAAACUAAAAJAAAAAAAAAAAAAAAAAAA"
        "AAAAAAC4AAAAAAAAAC8AAAAAAAAAQAAAAAAAAAAsAAAAAAAAAAIAKACmAQIAAwMAABAAAAAAAAAAAAB/AwAAAAAAAAAA/////x8A"
        "AABLVFh3cml0ZXIAQmFzaXMgVW5pdmVyc2FsIDIuNTAAACi1L/0gQDUBAOD3HwAAEHoAF+AfABACDwDgHxAC4AEFBQVwOOcABEAH"
        "gIAycxcg"
    ),
}


@pytest.mark.parametrize("alpha", KTX2)
def test_ktx2_textures_have_their_first_row_at_the_top(document, read, alpha):
    pytest.importorskip("opengl_basisu", reason="the extra ktx2 is not installed")
    data = base64.b64decode(KTX2[alpha])
    document.square(material=document.painted(document.texture(data, extension="KHR_texture_basisu")))
    document.json["extensionsRequired"] = document.json["extensionsUsed"] = ["KHR_texture_basisu"]
    material, remarks = material_of(read, document)
    assert material.base_image.shape == (8, 8, 4 if alpha < 255 else 3) and remarks == []
    corners = material.base_image[::7, ::7]
    wanted = [[[255, 0, 0, alpha], [0, 255, 0, alpha]], [[0, 0, 255, alpha], [40, 40, 40, alpha]]]
    np.testing.assert_allclose(corners, np.array(wanted)[..., : corners.shape[-1]], atol=3)
    start = document.json["bufferViews"][0]["byteOffset"] + 60
    document.binary[start : start + 100] = b"\xff" * 100
    with pytest.raises(MeshError, match="image 0 cannot be read as KTX2"):
        read(document)


def glossy(**values):
    return {"KHR_materials_pbrSpecularGlossiness": values}


def test_specular_glossiness_brings_its_diffuse_colours(document, read):
    texture = document.texture(RED)
    extensions = glossy(diffuseTexture={"index": texture}, diffuseFactor=[0.5, 1, 1, 1], glossinessFactor=0.25)
    document.square(material=document.material(extensions=extensions))
    material, remarks = material_of(read, document)
    np.testing.assert_array_equal(material.base_image, RED)
    assert (material.base_color, material.metallic, material.roughness) == ((0.5, 1, 1, 1), 0.0, 0.75)
    assert remarks == []


def test_specular_glossiness_without_diffuse_colour_is_a_metal(document, read):
    extensions = glossy(diffuseFactor=[0, 0, 0, 1], specularFactor=[1, 0.8, 0.3], glossinessFactor=0.75)
    document.square(material=document.material(extensions=extensions))
    material, _ = material_of(read, document)
    assert (material.base_color, material.metallic, material.roughness) == ((1, 0.8, 0.3, 1), 1.0, 0.25)


def test_glossiness_of_a_texture_becomes_roughness(document, read):
    shine = np.full((2, 2, 4), (255, 255, 255, 51), np.uint8)
    extensions = glossy(specularGlossinessTexture={"index": document.texture(shine)}, diffuseFactor=[1, 0, 0, 1])
    document.square(material=document.material(name="tin", extensions=extensions))
    material, remarks = material_of(read, document)
    assert material.metallic_roughness_image[0, 0].tolist() == [0, 204, 0] and material.roughness == 1
    assert remarks == ["specular colours of a specular-glossiness texture left out (material 'tin')"]


def test_metallic_roughness_wins_over_specular_glossiness(document, read):
    index = document.material(
        pbrMetallicRoughness={"baseColorFactor": [0, 1, 0, 1]}, extensions=glossy(diffuseFactor=[1, 0, 0, 1])
    )
    document.square(material=index)
    assert material_of(read, document)[0].base_color == (0, 1, 0, 1)


@pytest.mark.parametrize("base", [{}, {"metallicFactor": 0}, {"baseColorFactor": [1, 1, 1, 1]}])
def test_specular_glossiness_wins_over_a_bare_stand_in(document, read, base):
    extensions = glossy(diffuseTexture={"index": document.texture(RED)})
    document.square(material=document.material(pbrMetallicRoughness=base, extensions=extensions))
    np.testing.assert_array_equal(material_of(read, document)[0].base_image, RED)


def test_emission_is_as_strong_as_the_file_says_and_unlit_is_kept(document, read):
    extensions = {"KHR_materials_emissive_strength": {"emissiveStrength": 3}}
    document.square(material=document.material(emissiveFactor=[0.5, 0, 1], extensions=extensions))
    document.square(material=document.material(emissiveFactor=[1, 1, 1], extensions={"KHR_materials_unlit": {}}))
    surfaces, remarks = read(document)
    shining, plain = (surface.material for surface in surfaces)
    assert shining.emissive == (1.5, 0, 3) and not shining.unlit and remarks == []
    assert plain.emissive == (0, 0, 0) and plain.unlit


def glass(document, roughness=0.0, alpha_mode="OPAQUE", **values):
    extensions = {"KHR_materials_transmission": values}
    base = {"baseColorFactor": [0.5, 0.5, 1, 0.8], "roughnessFactor": roughness}
    document.square(
        material=document.material(name="glass", pbrMetallicRoughness=base, alphaMode=alpha_mode, extensions=extensions)
    )


def test_what_transmits_light_is_transparent_with_a_remark(document, read):
    glass(document, transmissionFactor=1)
    material, remarks = material_of(read, document)
    assert material.alpha_mode == "BLEND" and material.base_color == (0.5, 0.5, 1, pytest.approx(0.15))
    assert remarks == ["transmission rendered as plain transparency (material 'glass')"]


def test_frosted_glass_and_no_transmission_are_opaque(document, read):
    glass(document, roughness=0.9, transmissionFactor=1)
    material, remarks = material_of(read, document)
    assert material.alpha_mode == "OPAQUE"
    assert remarks == ["transmission of a rough surface rendered as opaque (material 'glass')"]
    document.json["materials"][0]["extensions"]["KHR_materials_transmission"] = {"transmissionFactor": 0}
    material, remarks = material_of(read, document)
    assert material.alpha_mode == "OPAQUE" and remarks == []


def test_a_texture_says_where_light_is_transmitted(document, read):
    glass(document, transmissionFactor=1, transmissionTexture={"index": document.texture(CHECKS)})
    material, _ = material_of(read, document)
    assert material.alpha_mode == "BLEND" and material.base_image.shape == (2, 2, 4)
    assert material.base_image[0, :, 3].tolist() == [38, 255] and material.base_color[3] == 1


def test_looks_that_are_left_out_are_named_once_for_all_materials(document, read):
    extensions = {
        "KHR_materials_clearcoat": {"clearcoatFactor": 1},
        "KHR_materials_sheen": {"sheenColorFactor": [0, 0, 0]},  # none
        "KHR_materials_ior": {"ior": 1.5},  # the usual one
        "KHR_materials_specular": {"specularColorTexture": {"index": 0}},
    }
    for name in "abcd":
        document.square(material=document.material(name=name, extensions=extensions))
    assert read(document)[1] == [
        "clear coat left out (material 'a', 'b', 'c' and 1 more)",
        "specular colour left out (material 'a', 'b', 'c' and 1 more)",
    ]
