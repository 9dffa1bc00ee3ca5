"""Shared by all trainings: an optimiser, a resumable loop, learning-rate schedules."""
