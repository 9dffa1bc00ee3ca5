"""Mixtures of experts: trained from scratch, exported, and their golden traces."""
