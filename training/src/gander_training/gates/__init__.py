"""An expert's gate and the examples that retrieval compares with; a router for all experts of a pool."""
