"""Texts as windows of tokens, and as tokens with offsets."""
