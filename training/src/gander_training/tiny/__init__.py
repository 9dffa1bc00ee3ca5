"""Tiny pools, bases and mixtures with random weights, for tests."""
