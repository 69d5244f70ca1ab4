"""Published image autoencoders through diffusers: TAESD, and the VAE of Stable Diffusion.

Both are wrapped to one convention: images in [0, 1] on the outside, raw latents in the middle. (TAESD's own code works
in [0, 1], diffusers' version of it and the VAE in [-1, 1]; the wrappers speak diffusers' range.) Weights come from the
files that TAESD's author publishes, from a folder saved by diffusers, or from the hub; pickles are never read.
"""

import inspect
import json
import os
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from manyfields._io import read_json
from manyfields.errors import ConfigError, one_line
from manyfields.latents.autoencoder import Autoencoder

HUB = {"taesd": "madebyollin/taesd", "taesd3": "madebyollin/taesd3", "sd": "stabilityai/sd-vae-ft-mse"}
TAESD_CHANNELS = {"taesd": 4, "taesd3": 16}
CLASSES = {"tiny": "AutoencoderTiny", "kl": "AutoencoderKL"}


def load_published(name: str) -> Autoencoder:
    """An autoencoder with published weights: "taesd", "taesd3", "sd", or a folder that diffusers saved (config.json).

    TAESD's files are looked for in the folder MANYFIELDS_TAESD, then beside a developer's checkout (`weights/taesd` in
    MANYFIELDS_SHARED), then on the hub. The statistics are those of a few drawn shapes, good enough to start from;
    `needs_whitening` is set, so that fitting replaces them by those of its views. Raises ConfigError in one line.
    """
    if name in TAESD_CHANNELS and (folder := _taesd_folder(name)) is not None:
        autoencoder = _taesd_from_files(folder, name)
    elif name in HUB:
        autoencoder = _pretrained("kl" if name == "sd" else "tiny", HUB[name])
    else:
        autoencoder = _from_folder(Path(name))
    autoencoder.whiten(drawn_shapes())
    autoencoder.needs_whitening = True
    return autoencoder


def from_diffusers_config(sizes: dict[str, Any]) -> Autoencoder:
    """An autoencoder without weights from `{"kind": "tiny" or "kl", "config": diffusers' settings}`.

    Raises ConfigError on what is not known, and where diffusers is missing.
    """
    kind, config = sizes.get("kind"), sizes.get("config")
    model_class = _model_class(kind)
    try:
        return _wrapped(model_class(**config), str(kind))  # type: ignore[arg-type]  # a wrong kind is a TypeError
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise ConfigError(f"autoencoder 'diffusers': settings of the wrong kind ({one_line(error)})") from error


class DiffusersEncoder(nn.Module):
    """Images in [0, 1] to raw latents; of a variational encoder the mean of its distribution."""

    def __init__(self, model: Any, kind: str) -> None:
        super().__init__()
        self.network = model.encoder
        self.moments = getattr(model, "quant_conv", None)
        self.variational = kind == "kl"

    def forward(self, images: Tensor) -> Tensor:
        raw = self.network(2.0 * images - 1.0)
        if self.moments is not None:
            raw = self.moments(raw)
        return raw.chunk(2, 1)[0] if self.variational else raw


class DiffusersDecoder(nn.Module):
    """Raw latents to images in [0, 1], not clamped."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.first = getattr(model, "post_quant_conv", None)
        self.network = model.decoder

    def forward(self, latents: Tensor) -> Tensor:
        if self.first is not None:
            latents = self.first(latents)
        return 0.5 * self.network(latents) + 0.5


def drawn_shapes(count: int = 4, side: int = 128) -> Float[Tensor, "V 3 H W"]:
    """Shaded discs and bars of random colours on white, the same ones at every call."""
    generator = torch.Generator().manual_seed(0)
    images = torch.ones(count, 3, side, side)
    line = torch.linspace(-1.0, 1.0, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    for image in images:
        for shape in range(8):
            numbers = torch.rand(7, generator=generator)
            across, down = (x - numbers[0] + 0.5) / (0.1 + 0.4 * numbers[2]), (y - numbers[1] + 0.5) / 0.3
            inside = across**2 + down**2 < 1 if shape % 2 else (across.abs() < 1) & (down.abs() < 0.5 + numbers[3])
            shade = 0.7 - 0.3 * down[inside].clamp(-1.0, 1.0)
            image[:, inside] = numbers[4:, None] * shade
    return images


def _wrapped(model: Any, kind: str) -> Autoencoder:
    """Diffusers' model as ours. Only settings that its class takes are kept, as JSON would return them."""
    names = inspect.signature(type(model).__init__).parameters
    config = json.loads(json.dumps({name: model.config[name] for name in names if name in model.config}))
    levels = config["encoder_block_out_channels"] if kind == "tiny" else config["block_out_channels"]
    architecture = {"autoencoder": "diffusers", "kind": kind, "config": config}
    return Autoencoder(
        DiffusersEncoder(model, kind),
        DiffusersDecoder(model),
        config["latent_channels"],
        2 ** (len(levels) - 1),
        architecture,
    )


def _model_class(kind: object) -> Any:
    if kind not in CLASSES:
        raise ConfigError(f"autoencoder 'diffusers' of kind {kind!r} is not known here: a newer version may read it")
    try:
        import diffusers

        return getattr(diffusers, CLASSES[str(kind)])
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"TAESD and the Stable Diffusion VAE need diffusers: pip install 'manyfields[sd]' ({one_line(error)})"
        ) from error


def _taesd_folder(name: str) -> Path | None:
    """Where the two published files of a TAESD are at hand, or None. A folder that the user named must have them."""
    files = [f"{name}_encoder.safetensors", f"{name}_decoder.safetensors"]
    if chosen := os.environ.get("MANYFIELDS_TAESD"):
        for file in files:
            if not (Path(chosen) / file).is_file():
                raise ConfigError(f"MANYFIELDS_TAESD: {chosen} has no {file}; put it there, or unset the variable")
        return Path(chosen)
    shared = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[4] / "shared")) / "weights" / "taesd"
    return shared if all((shared / file).is_file() for file in files) else None


def _taesd_from_files(folder: Path, name: str) -> Autoencoder:
    model = _model_class("tiny")(latent_channels=TAESD_CHANNELS[name])
    state: dict[str, Tensor] = {}
    # The author's decoder counts its clamp as layer 0; diffusers clamps outside its layers.
    for part, skipped in (("encoder", 0), ("decoder", 1)):
        path = folder / f"{name}_{part}.safetensors"
        try:
            for key, tensor in load_file(path).items():
                number, _, rest = key.partition(".")
                state[f"{part}.layers.{int(number) - skipped}.{rest}"] = tensor.float()
        except (SafetensorError, OSError, ValueError) as error:
            raise ConfigError(f"{path}: not TAESD's published file, or damaged ({one_line(error)})") from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ConfigError(f"{folder}: the files of {name} do not fit it ({one_line(error)})") from error
    return _wrapped(model, "tiny")


def _from_folder(folder: Path) -> Autoencoder:
    """A folder that diffusers saved: of an autoencoder, or of a whole Stable Diffusion with its VAE in `vae`."""
    root = next((path for path in (folder, folder / "vae") if (path / "config.json").is_file()), None)
    if root is None:
        raise ConfigError(f"autoencoder folder {folder}: has no config.json; name a folder saved by diffusers")
    try:
        class_name = read_json(root / "config.json").get("_class_name")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{root / 'config.json'}: cannot be read ({one_line(error)})") from error
    kind = next((kind for kind, known in CLASSES.items() if known == class_name), None)
    if kind is None:
        raise ConfigError(f"{root / 'config.json'}: is a {class_name}; known are {', '.join(CLASSES.values())}")
    return _pretrained(kind, str(root), local_files_only=True)


def _pretrained(kind: str, source: str, **options: Any) -> Autoencoder:
    model_class = _model_class(kind)
    try:
        model, loading = model_class.from_pretrained(
            source, use_safetensors=True, output_loading_info=True, torch_dtype=torch.float32, **options
        )
    except Exception as error:  # what the hub's client raises for a missing network changes with its version
        place = "folder" if options else "hub"
        raise ConfigError(
            f"autoencoder {source}: cannot be read from the {place} ({one_line(error)}); "
            "name a folder with its files instead (for TAESD: MANYFIELDS_TAESD)"
        ) from error
    if loading["missing_keys"]:
        raise ConfigError(f"autoencoder {source}: its weights lack {loading['missing_keys'][0]}; fetch them again")
    return _wrapped(model, kind)
