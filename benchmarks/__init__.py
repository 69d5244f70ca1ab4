"""What is measured, a folder a subject; README.md is the index. Run from the root of the repository by `python -m`."""
