"""Experts and gates of an encoder-decoder, trained on pairs of an input and a target."""
