"""The shared part as files of a collection: what is stored of it, in which numbers, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from manyfields.compression.base_planes import decoded_shared
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.registry import codec_of, family_config, family_from_config
from manyfields.latents import autoencoder_config, autoencoder_from_config
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

ENCODER = "autoencoder.encoder."
EXACT = ("background", "autoencoder.mean", "autoencoder.std", "family.start")


class SharedFiles(Protocol):
    """A collection, as far as its shared part goes."""

    @property
    def path(self) -> Path: ...
    @property
    def config(self) -> dict[str, Any]: ...
    def shared(self) -> dict[str, Tensor]: ...
    def encoder(self) -> dict[str, Tensor] | None: ...


def shared_tensors(shared: SharedPart) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
    """What is stored of a shared part, in 16 bits but for statistics: what rendering needs, and the encoder or None."""
    rendering: dict[str, Tensor] = {}
    encoder: dict[str, Tensor] = {}
    for name, tensor in shared.state_dict().items():
        kept = tensor.detach().cpu() if name in EXACT else tensor.detach().cpu().half()
        (encoder if name.startswith(ENCODER) else rendering)[name] = kept.contiguous()
    return rendering, encoder or None


def shared_config(shared: SharedPart, sampler: Sampler) -> dict[str, Any]:
    """The JSON from which `open_shared_part` rebuilds a shared part, stored inside its file."""
    return {
        "family": family_config(shared.family),
        "autoencoder": None if shared.autoencoder is None else autoencoder_config(shared.autoencoder),
        "sampler": asdict(sampler),
        "codec": codec_of(shared).name,
        "layers": [list(names) for names in shared.family.config.layers],
    }


def open_shared_part(collection: SharedFiles, with_encoder: bool = False) -> SharedPart:
    """The shared part of a collection in float32, frozen. Raises CollectionError where its files do not fit."""
    config = collection.config
    encoder = collection.encoder() if with_encoder else None
    if with_encoder and encoder is None and config.get("autoencoder") is not None:
        raise CollectionError(f"{collection.path}: has no encoder, which fitting needs; fetch its encoder file")
    return decoded_shared_part(collection.shared(), config, collection.path, encoder)


def decoded_shared_part(
    stored: dict[str, Tensor], config: dict[str, Any], path: Path, encoder: dict[str, Tensor] | None = None
) -> SharedPart:
    """The shared part that tensors and config of a shared file decode to, without `encoder` one that renders alone.

    Raises CollectionError, naming `path`, where they do not fit.
    """
    tensors = decoded_shared(stored, config)
    try:
        autoencoder = None if config["autoencoder"] is None else autoencoder_from_config(config["autoencoder"])
        shared: SharedPart = SharedPart(family_from_config(config["family"]), autoencoder)
        if config["codec"] != codec_of(shared).name:
            raise CollectionError(f"{path}: codec {config['codec']!r} is not known here; use a newer version")
        state = {name: tensor.float() for name, tensor in {**tensors, **(encoder or {})}.items()}
        missing, unexpected = shared.load_state_dict(state, strict=False)
        absent = [name for name in missing if encoder is not None or not name.startswith(ENCODER)]
        if absent or unexpected:
            raise CollectionError(f"{path}: shared part lacks or has too much: {(absent + unexpected)[0]}")
    except (ConfigError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CollectionError(f"{path}: the shared part cannot be built from its config ({error})") from error
    if autoencoder is not None and encoder is None:
        autoencoder.encoder = torch.nn.Identity()
    return shared.eval().requires_grad_(False)


def stored_sampler(collection: SharedFiles) -> Sampler:
    """How many samples a ray gets in this collection. Raises CollectionError."""
    try:
        return Sampler(**collection.config["sampler"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CollectionError(f"{collection.path}: the config has no usable sampler ({error})") from error
