"""What learns in transform coding, for every family that has it."""
