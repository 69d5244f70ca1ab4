"""What octrees with learned indices are compared with."""
