"""Makes, checks, extends and measures a pool."""
