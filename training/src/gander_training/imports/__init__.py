"""Imports checkpoints from other programs as pools."""
