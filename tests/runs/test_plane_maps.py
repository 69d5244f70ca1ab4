import numpy as np
import torch
from PIL import Image

from manyfields.families.codec import Fitted
from manyfields.families.tensor_planes.transform.pictures import importance_picture, side_by_side
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.runs.plane_maps import keeping_pictures


def test_planes_stand_side_by_side_on_white():
    made = side_by_side([np.zeros((2, 3)), np.full((4, 1), 7)])
    assert made.shape == (4, 3 + 4 + 1) and made.dtype == np.uint8
    assert not made[:2, :3].any() and (made[2:, :3] == 255).all()
    assert (made[:, 3:7] == 255).all() and (made[:, 7] == 7).all()


def test_importance_is_kept_as_a_picture(tmp_path):
    planes = [torch.rand(5, 4), torch.ones(3, 4), torch.zeros(3, 5)]
    objects = keeping_pictures(tmp_path, Fitted([], None, Sampler(), Phase("p", 1, rgb=1.0)))
    objects.note("truck", "importance", lambda: importance_picture(planes))
    objects.note("truck", "estimated bytes", lambda: 1 / 0)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["truck.png"]
    seen = np.asarray(Image.open(tmp_path / "importance" / "truck.png"))
    assert seen.shape == (5, 4 + 4 + 4 + 4 + 5)
    assert (seen[:3, 8:12] == 255).all() and not seen[:3, 16:].any()
    np.testing.assert_allclose(seen[::-1][:, :4] / 255, planes[0].numpy(), atol=0.003)
