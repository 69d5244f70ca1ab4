"""Tensor planes in steps that suit what training views are sensitive to."""
