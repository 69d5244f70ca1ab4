"""An octree as a stream of bytes that shows more with every level."""
