"""Surfaces as distance fields, built on octrees."""
