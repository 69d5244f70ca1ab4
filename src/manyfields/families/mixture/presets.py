"""Presets of mixtures: scenes, images and voxels, each for a CPU and as in the paper."""

from dataclasses import replace

from manyfields.families.mixture.phases import instances, mixtures
from manyfields.families.mixture.settings import (
    ImageSettings,
    MixtureSettings,
    SceneMixtureSettings,
    VoxelSettings,
    suited,
)
from manyfields.rendering import Sampler

VIEWS, PIXELS, POINTS = 32, 512, 32  # of an object in a step of the paper, of a view, and of a pixel's ray

SCENES = SceneMixtureSettings(
    w0=20.0,
    start_spread=0.1,
    start="principal",
    sampler=Sampler(guided=18),
    final_sampler=Sampler(guided=24),
    wave=16,
)
PAPER = replace(
    mixtures(epochs=2000)[0],
    emptiness=0.0,
    code_decay=1e-4,
    code_noise=0.0,
    codes_rate=1e-4,
    base_rate=1e-4,
    fields_rate=1e-4,
    final_rate=0.01,
    views_per_object=VIEWS,
    rays_per_object=VIEWS * PIXELS,
)
SPREAD_SAMPLES = Sampler(stratified=POINTS, importance=0)
SCENES_OF_PAPER = SceneMixtureSettings(
    preset="mixture-paper",
    guide_side=0,
    hull=0,
    sampler=SPREAD_SAMPLES,
    final_sampler=SPREAD_SAMPLES,
    wave=16,
    stage1=(PAPER,),
    stage2=(replace(PAPER, epochs=200, base_rate=0.0, fields_rate=0.0),),
)
LEARNED = replace(
    instances(800)[0], base_rate=1e-4, fields_rate=1e-4, final_rate=0.01, objects_per_step=32, rays_per_object=4096
)
PRESETS: dict[str, MixtureSettings] = {
    "mixture": SCENES,
    "mixture-paper": SCENES_OF_PAPER,
    "mixture-images": suited(ImageSettings(latent=1024, w0=20.0), "principal"),
    "mixture-voxels": suited(VoxelSettings(latent=512, w0=15.0, side=32, stage1=instances(400)), "principal"),
    "mixture-images-paper": ImageSettings(
        preset="mixture-images-paper",
        hidden_layers=5,
        width=128,
        bases=384,
        latent=512,
        stage1=(LEARNED,),
        stage2=instances(200, False),
    ),
    "mixture-voxels-paper": VoxelSettings(
        preset="mixture-voxels-paper",
        hidden_layers=5,
        width=128,
        bases=512,
        latent=1024,
        stage1=(replace(LEARNED, epochs=400),),
        stage2=instances(200, False),
    ),
}
