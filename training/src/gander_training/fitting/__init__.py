"""What every training shares: an optimiser, a loop that goes on after a stop, the learning rate over a run."""
