"""The PyTorch reference: golden traces, lenses and figures that the engine is checked against."""
