"""Autoencoders: image to latent image and back."""

from manyfields.latents.autoencoder import Autoencoder
from manyfields.latents.stored import autoencoder_config, autoencoder_from_config, load_autoencoder

__all__ = ["Autoencoder", "autoencoder_config", "autoencoder_from_config", "load_autoencoder"]
