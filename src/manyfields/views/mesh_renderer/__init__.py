"""Pictures of meshes with VTK, without a screen: a scene of actors, light, shading and textures."""
