"""Corpora from a recipe: fetch pinned packages, select files, split by package."""
