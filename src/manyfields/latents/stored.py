"""Autoencoders by name or file: the shipped compact one, TAESD, the Stable Diffusion VAE, or a file of ours."""

import dataclasses
import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from manyfields.errors import ConfigError, one_line
from manyfields.latents.autoencoder import Autoencoder
from manyfields.latents.compact import CompactConfig, compact_autoencoder

SHIPPED = "compact"


def load_autoencoder(name: str) -> Autoencoder:
    """An autoencoder with weights.

    `name`: "compact" (shipped with the package), "taesd" or "taesd3" (a folder with the published files is found
    through MANYFIELDS_TAESD, else the hub is asked), "sd" (Stable Diffusion VAE through diffusers), the folder of an
    autoencoder saved by diffusers, or the path of a file written by `autoencoder_bytes`. Raises ConfigError where the
    name or the file is not known.

    >>> autoencoder = load_autoencoder("compact")
    >>> autoencoder.encode(torch.rand(1, 3, 32, 32)).shape[1] == autoencoder.channels
    True
    """
    if name == SHIPPED:
        return _read(resources.files("manyfields.latents") / "weights" / "compact.safetensors")
    if name in ("taesd", "taesd3", "sd") or Path(name).is_dir():
        from manyfields.latents.stable_diffusion import load_published

        return load_published(name)
    if not Path(name).is_file():
        raise ConfigError(f"autoencoder {name!r}: not compact, taesd, taesd3 or sd, and no such file")
    return _read(Path(name))


def autoencoder_config(autoencoder: Autoencoder) -> dict[str, Any]:
    """The stored form of an autoencoder's architecture; `autoencoder_from_config` inverts it.

    >>> autoencoder_config(load_autoencoder("compact"))["autoencoder"]
    'compact'
    """
    return autoencoder.architecture


def autoencoder_from_config(stored: dict[str, Any]) -> Autoencoder:
    """An autoencoder without weights, for a state to be loaded into. Raises ConfigError on what is not known.

    >>> stored = autoencoder_config(load_autoencoder("compact"))
    >>> autoencoder_from_config(stored).stride == load_autoencoder("compact").stride
    True
    """
    sizes = dict(stored)
    kind = sizes.pop("autoencoder", None)
    if kind == "compact":
        known = {field.name for field in dataclasses.fields(CompactConfig)}
        if unknown := sorted(set(sizes) - known):
            raise ConfigError(f"autoencoder 'compact' has no setting {unknown[0]!r}: a newer version may read it")
        try:
            return compact_autoencoder(CompactConfig(**sizes))
        except (TypeError, RuntimeError) as error:
            raise ConfigError(f"autoencoder 'compact': settings of the wrong kind ({one_line(error)})") from error
    if kind == "diffusers":
        from manyfields.latents.stable_diffusion import from_diffusers_config

        return from_diffusers_config(sizes)
    raise ConfigError(f"autoencoder {kind!r} is not known here: a newer version may read it")


def autoencoder_bytes(autoencoder: Autoencoder, properties: dict[str, Any]) -> bytes:
    """A safetensors file of the weights in 16 bits, the statistics in 32.

    The architecture and `properties` are its metadata.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in autoencoder.state_dict().items():
        tensors[name] = (tensor if name in ("mean", "std") else tensor.half()).contiguous()
    return save(tensors, {"architecture": json.dumps(autoencoder.architecture), "properties": json.dumps(properties)})


def _read(path: Any) -> Autoencoder:
    try:
        with resources.as_file(path) as file, safe_open(file, "pt") as opened:
            autoencoder = autoencoder_from_config(json.loads((opened.metadata() or {})["architecture"]))
            state = {name: opened.get_tensor(name).float() for name in opened.keys()}  # noqa: SIM118
        autoencoder.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"autoencoder file {path}: not one of ours, or damaged ({one_line(error)})") from error
    # torch's stubs of Module.to know no memory_format, its documentation does.
    return autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
