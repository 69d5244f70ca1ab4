"""What `manyfields fit` takes as families: names alone, for a command line that must not load what they stand for."""

NAMES = ("fused-planes", "octree", "tensorf", "factor-fields", "mixture", "mixture-images", "mixture-voxels")
"""`FitSettings.family` of all settings that the registry has presets of, in its order; the first is the default."""
