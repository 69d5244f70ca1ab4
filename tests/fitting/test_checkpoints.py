"""Checkpoints come back bit by bit, or not at all."""

import os

import pytest
import torch

from manyfields.errors import RunError
from manyfields.fitting.checkpoints import (
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    pack,
    save_checkpoint,
    unpack,
)

TENSORS = {
    "codes/code.micro": torch.randn(3, 4, 5),
    "counts": torch.tensor([1, 2, 3]),
    "half": torch.randn(7).half(),
    "scalar": torch.tensor(2.5),
    "turned": torch.randn(4, 6).t(),
}
RECORD = {"phase": 1, "step": 17, "seconds": {"warm-up": 0.1 + 0.2}, "curves": [{"latent": 1e-9}]}


def test_round_trip(tmp_path):
    path = tmp_path / "checkpoints" / "stage1.safetensors"
    save_checkpoint(path, TENSORS, RECORD)
    tensors, record = load_checkpoint(path)
    assert record == RECORD and tensors.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensor, TENSORS[name]) and tensor.dtype == TENSORS[name].dtype for name, tensor in tensors.items()
    )


@pytest.mark.parametrize("kept", [0, 5, 40, 0.5, -1])
def test_truncated(tmp_path, kept):
    path = tmp_path / "stage1.safetensors"
    save_checkpoint(path, TENSORS, RECORD)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(RunError, match=r"stage1\.safetensors cannot be read .*: delete it") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [3, 9, 60, 0.7, -1])
def test_bit_flips(tmp_path, place):
    path = tmp_path / "stage1.safetensors"
    save_checkpoint(path, TENSORS, RECORD)
    data = bytearray(path.read_bytes())
    data[int(len(data) * place) if isinstance(place, float) else place] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(RunError, match="cannot be read"):
        load_checkpoint(path)


def test_foreign_and_absent_files(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors")
    for name in ("foreign.safetensors", "absent.safetensors"):
        with pytest.raises(RunError, match=name):
            load_checkpoint(tmp_path / name)


def test_a_crash_while_writing_leaves_the_previous_one(tmp_path, monkeypatch):
    path = tmp_path / "stage1.safetensors"
    save_checkpoint(path, TENSORS, RECORD)
    before = path.read_bytes()

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"a": torch.zeros(3)}, {})
    assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == [path.name]


def test_packed_groups_come_apart():
    groups = {"shared": {"a.b": torch.ones(1)}, "codes": {"a.b": torch.zeros(1), "shared/x": torch.zeros(2)}}
    together = {name: tensor for prefix, tensors in groups.items() for name, tensor in pack(prefix, tensors).items()}
    assert all(unpack(prefix, together).keys() == tensors.keys() for prefix, tensors in groups.items())
    assert unpack("codes", together)["a.b"] is groups["codes"]["a.b"]


def test_optimizer_goes_on_as_if_never_stopped(tmp_path):
    """With weights in channels-last order too: the fused kernel reads moments in the order of memory."""

    def start():
        torch.manual_seed(3)
        net = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3), torch.nn.Conv2d(6, 2, 3)).to(
            memory_format=torch.channels_last
        )
        groups = [{"params": list(net[0].parameters()), "lr": 1e-2}, {"params": list(net[1].parameters()), "lr": 2e-2}]
        return net, torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)

    def step(net, adam, number):
        adam.zero_grad()
        picture = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(number))
        net(picture).square().sum().backward()
        adam.step()

    net, adam = start()
    for number in range(3):
        step(net, adam, number)
    save_checkpoint(tmp_path / "c", {**pack("net", net.state_dict()), **pack("adam", optimizer_tensors(adam))}, {})
    other, other_adam = start()
    tensors, _ = load_checkpoint(tmp_path / "c")
    other.load_state_dict(unpack("net", tensors))
    load_optimizer(other_adam, unpack("adam", tensors))
    for number in range(3, 6):
        step(net, adam, number)
        step(other, other_adam, number)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
