"""What coders of tensor planes are compared with."""
