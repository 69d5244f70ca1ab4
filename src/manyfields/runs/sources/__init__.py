"""Where the objects of a run come from: posed views, images, or meshes as voxels."""
