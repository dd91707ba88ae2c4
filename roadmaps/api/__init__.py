"""Roadmaps as programs see them."""
