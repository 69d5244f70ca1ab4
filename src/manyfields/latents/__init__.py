"""Autoencoders: image to latent image and back; and the shared part that renders latent images of fields."""

from manyfields.latents.autoencoder import Autoencoder
from manyfields.latents.shared_part import Pictures, SharedPart
from manyfields.latents.stored import autoencoder_config, autoencoder_from_config, load_autoencoder

__all__ = ["Autoencoder", "Pictures", "SharedPart", "autoencoder_config", "autoencoder_from_config", "load_autoencoder"]
