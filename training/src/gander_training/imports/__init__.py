"""Checkpoints of others' code, as pools."""
