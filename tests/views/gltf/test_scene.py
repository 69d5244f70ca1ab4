import numpy as np
import pytest

from manyfields.errors import MeshError

TRIANGLE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], np.float32)
HALF = np.sqrt(0.5)


def test_a_skin_stands_where_its_joints_are_and_not_where_its_node_is(document, read):
    joint = {"translation": [0, 10, 0], "scale": [0.01] * 3}
    document.json["nodes"] = [{"mesh": 0, "skin": 0, "translation": [7, 7, 7]}, {**joint}]
    document.json["scenes"] = [{"nodes": [0, 1]}]
    bind = np.eye(4, dtype=np.float32)
    bind[:3, 3] = 100
    joints, weights = np.zeros((3, 4), np.uint8), np.tile(np.float32([1, 0, 0, 0]), (3, 1))
    document.primitive(JOINTS_0=joints, WEIGHTS_0=weights)
    document.json["skins"] = [{"joints": [1], "inverseBindMatrices": document.accessor(bind.T.reshape(1, 16))}]
    surfaces, remarks = read(document)
    np.testing.assert_allclose(surfaces[0].vertices, (TRIANGLE + 100) * 0.01 + [0, 10, 0], atol=1e-6)
    assert remarks == []


def test_weights_are_shares_of_all_sets_and_may_be_fractions_in_bytes(document, read):
    document.json["nodes"] = [{"mesh": 0, "skin": 0}, {"translation": [0, 0, 8]}, {"rotation": [0, 0, HALF, HALF]}]
    document.json["scenes"] = [{"nodes": [0]}]  # the joints stand outside of the scene
    document.json["skins"] = [{"joints": [1, 2]}]
    first, second = np.uint8([[0, 0, 0, 0]] * 3), np.uint8([[1, 0, 0, 0]] * 3)
    shares = [document.accessor(np.uint8([[n, 0, 0, 0], [255, 0, 0, 0], [0] * 4]), normalized=True) for n in (51, 0)]
    document.primitive(JOINTS_0=first, WEIGHTS_0=shares[0], JOINTS_1=second, WEIGHTS_1=shares[1])
    surfaces, _ = read(document)
    # all on the first joint, though its weight is a fifth; half on each; none, which follows the first joint
    np.testing.assert_allclose(surfaces[0].vertices, [[0, 0, 8], [2, 2, 4], [0, 2, 8]], atol=1e-6)


def test_a_joint_that_is_not_there_sets_the_mesh_aside(document, read):
    document.json["nodes"] = [{"mesh": 0, "skin": 0}]
    document.json["skins"] = [{"joints": [0]}]
    document.primitive(JOINTS_0=np.uint8([[3, 0, 0, 0]] * 3), WEIGHTS_0=np.tile(np.float32([1, 0, 0, 0]), (3, 1)))
    with pytest.raises(MeshError, match="hangs on a joint that skin 0 lacks"):
        read(document)


def test_a_mesh_with_a_skin_but_no_joints_is_rendered_with_a_remark(document, read):
    document.json["nodes"] = [{"mesh": 0, "skin": 0, "translation": [1, 0, 0]}]
    document.json["skins"] = [{"joints": [0]}]
    document.primitive()
    surfaces, remarks = read(document)
    np.testing.assert_allclose(surfaces[0].vertices, TRIANGLE + [1, 0, 0])
    assert remarks == ["a skinned mesh has no joints; rendered where its node is"]


def test_instances_each_have_their_own_place_turn_and_size(document, read):
    attributes = {
        "TRANSLATION": document.accessor(np.float32([[0, 0, 0], [10, 0, 0]])),
        "ROTATION": document.accessor(np.int16([[0, 0, 0, 32767], [0, 0, 23170, 23170]]), normalized=True),
        "SCALE": document.accessor(np.float32([[1, 1, 1], [2, 1, 1]])),
        "_ID": document.accessor(np.uint16([0, 1])),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    document.json["nodes"] = [{"mesh": 0, "translation": [0, 0, 1], "extensions": extensions}]
    document.json["extensionsRequired"] = document.json["extensionsUsed"] = list(extensions)
    document.primitive()
    surfaces, remarks = read(document)
    assert len(surfaces) == 2 and remarks == []
    np.testing.assert_allclose(surfaces[0].vertices, TRIANGLE + [0, 0, 1])
    np.testing.assert_allclose(surfaces[1].vertices, [[10, 0, 1], [10, 8, 1], [8, 0, 1]], atol=1e-3)


def test_morph_targets_are_taken_with_the_weights_of_the_node_else_of_the_mesh(document, read):
    targets = [{"POSITION": document.accessor(np.float32([[0, 0, n]] * 3))} for n in (1, 100)]
    document.primitive(targets=targets)
    document.json["meshes"][0]["weights"] = [0.5, 0]
    document.json["nodes"] = [{"mesh": 0}, {"mesh": 0, "weights": [0, 1]}]
    document.json["scenes"] = [{"nodes": [0, 1]}]
    surfaces, _ = read(document)
    assert [surface.vertices[0, 2] for surface in surfaces] == [0.5, 100]


def test_morph_targets_without_values_of_their_own_are_sparse(document, read):
    rows, values = document.view(np.uint8([2]).tobytes()), document.view(np.float32([0, 0, 3]).tobytes())
    sparse = {
        "count": 1,
        "indices": {"bufferView": rows, "componentType": 5121},
        "values": {"bufferView": values},
    }
    target = document.accessor(np.zeros((3, 3), np.float32), bufferView=None, sparse=sparse)
    document.primitive(targets=[{"POSITION": target}])
    document.json["meshes"][0]["weights"] = [2]
    surfaces, _ = read(document)
    np.testing.assert_allclose(surfaces[0].vertices[:, 2], [0, 0, 6])


def test_only_the_default_scene_is_rendered_and_the_others_are_mentioned(document, read):
    document.json["nodes"] = [{"mesh": 0}, {"mesh": 0, "translation": [0, 0, 5]}, {"mesh": 0}]
    document.json["scenes"] = [{"nodes": [0]}, {"nodes": [1]}]
    document.json["scene"] = 1
    document.primitive()
    surfaces, remarks = read(document)
    assert len(surfaces) == 1 and surfaces[0].vertices[0, 2] == 5
    assert remarks == ["it has 2 scenes; scene 1 is rendered"]
    document.json["scene"] = 7
    surfaces, remarks = read(document)
    assert surfaces[0].vertices[0, 2] == 0 and "its scene 7 does not exist; the first is rendered" in remarks


def test_without_a_scene_all_nodes_without_parents_are_rendered(document, read):
    for name in ("scene", "scenes"):
        del document.json[name]
    document.json["nodes"] = [{"children": [1], "translation": [0, 0, 5]}, {"mesh": 0}]
    document.primitive()
    surfaces, _ = read(document)
    assert len(surfaces) == 1 and surfaces[0].vertices[0, 2] == 5


def test_a_child_that_the_scene_lists_too_is_rendered_once_below_its_parent(document, read):
    document.json["nodes"] = [{"children": [1], "translation": [0, 0, 5]}, {"mesh": 0}]
    document.json["scenes"] = [{"nodes": [1, 0]}]
    document.primitive()
    surfaces, remarks = read(document)
    assert [surface.vertices[0, 2] for surface in surfaces] == [5]
    assert remarks == ["its scene lists nodes that stand below others; rendered there"]


def test_a_node_that_two_others_claim_is_rendered_once(document, read):
    levels = [{"children": [level + 1, level + 1]} for level in range(40)]  # 2^40 ways down
    document.json["nodes"] = [*levels, {"mesh": 0}, {"children": [40]}]
    document.json["scenes"] = [{"nodes": [0, 41]}]
    document.primitive()
    surfaces, remarks = read(document)
    assert len(surfaces) == 1 and remarks == ["node 40 has two parents; rendered under the first"]


def test_hidden_nodes_are_left_out_with_what_is_below_them(document, read):
    hidden = {"extensions": {"KHR_node_visibility": {"visible": False}}}
    document.json["nodes"] = [{"mesh": 0}, {"children": [2], **hidden}, {"mesh": 0}]
    document.json["scenes"] = [{"nodes": [0, 1]}]
    document.primitive()
    assert len(read(document)[0]) == 1


def test_a_circle_of_nodes_is_an_error(document, read):
    document.json["nodes"] = [{"mesh": 0}, {"children": [2]}, {"children": [1]}]
    document.primitive()
    with pytest.raises(MeshError, match="node 1 is its own ancestor"):
        read(document)


def test_animations_and_variants_are_mentioned(document, read):
    document.json["animations"] = [{"channels": [], "samplers": []}]
    document.json["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "red"}, {"name": "blue"}]}}
    document.json["extensionsUsed"] = ["KHR_materials_variants", "XYZ_glow"]
    document.primitive()
    assert read(document)[1] == [
        "what XYZ_glow adds is left out",
        "it is animated; rendered at rest",
        "it has 2 variants of materials; the default ones are rendered",
    ]


def test_required_extensions_that_are_unknown_set_the_mesh_aside_by_name(document, read):
    document.primitive()
    document.json["extensionsRequired"] = document.json["extensionsUsed"] = ["XYZ_voxels", "KHR_texture_transform"]
    with pytest.raises(MeshError, match="requires XYZ_voxels, which is not understood; export it without"):
        read(document)


def test_normals_that_are_no_directions_are_mended(document, read):
    document.primitive(NORMAL=np.float32([[0, 1, 0], [0, 0, 0], [np.nan, 0, 0]]))
    np.testing.assert_allclose(read(document)[0][0].normals, [[0, 1, 0], [0, 0, 1], [0, 0, 1]])


def test_a_mesh_without_normals_is_flat(document, read):
    document.primitive()
    assert read(document)[0][0].flat
