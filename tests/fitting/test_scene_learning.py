import torch

from manyfields.fitting.scene_learning import LearnedScene


def test_a_scene_goes_on_from_its_state_with_the_same_bits(tensors):
    family = tensors.new_shared().family

    def learn(scene: LearnedScene, steps: range) -> None:
        for step in steps:
            sum(((n + step) * tensor.sin()).sum() for n, tensor in enumerate(scene.grids.tensors)).backward()
            scene.update(0.01)

    whole = LearnedScene(family.new_grids(tensors.BOX, (4, 5, 6), tensors.generator()))
    learn(whole, range(3))
    held = {name: tensor.clone() for name, tensor in whole.state().items()}
    learn(whole, range(3, 6))
    again = LearnedScene(family.new_grids(torch.tensor([[-1.0] * 3, [1.0] * 3]), (3, 3, 3)))  # of another size and box
    again.load(held)
    learn(again, range(3, 6))
    assert torch.equal(again.grids.box, tensors.BOX) and again.grids.resolution == (4, 5, 6)
    assert all(torch.equal(a, b) for a, b in zip(whole.grids.tensors, again.grids.tensors, strict=True))
