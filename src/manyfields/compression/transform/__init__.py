"""What transform coders of every family share."""
