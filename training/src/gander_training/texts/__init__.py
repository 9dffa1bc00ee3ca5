"""Texts: cut into windows, as tokens with their places."""
