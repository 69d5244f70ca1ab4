"""Mixtures of networks that objects share (mNIF, 2023), for scenes, images and voxels."""
