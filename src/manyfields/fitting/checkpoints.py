"""Checkpoints: tensors and a JSON record in one safetensors file, replaced atomically; nothing executes on load."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from manyfields._io import write_atomic
from manyfields.errors import RunError


def save_checkpoint(path: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write tensors (any device) and the record; a crash leaves the previous checkpoint whole."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    written = json.dumps(record)
    write_atomic(path, save(held, {"record": written, "sha256": _digest(held, written)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint. Raises RunError where it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if metadata["sha256"] != _digest(tensors, metadata["record"]):
            raise ValueError("its SHA-256 is not the one it states")
        return tensors, json.loads(metadata["record"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(f"checkpoint {path} cannot be read ({error}): delete it to start its stage again") from error


def _digest(tensors: dict[str, Tensor], record: str) -> str:
    """SHA-256 of all that a checkpoint holds, in an order that does not depend on the file."""
    digest = hashlib.sha256(record.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def pack(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unpack(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer | None) -> dict[str, Tensor]:
    """State of an Adam optimizer as flat tensors: `<parameter>.<entry>`."""
    if optimizer is None:
        return {}
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of `optimizer_tensors`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, entry = name.split(".", 1)
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # In the parameter's own memory layout: the fused kernel walks through memory and does not look at strides.
            tensor = torch.empty_like(parameter, memory_format=torch.preserve_format, requires_grad=False).copy_(tensor)
        state.setdefault(int(index), {})[entry] = tensor
    whole["state"] = state
    optimizer.load_state_dict(whole)
