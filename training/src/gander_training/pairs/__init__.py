"""Trains experts and gates of an encoder-decoder on pairs of an input and a target."""
