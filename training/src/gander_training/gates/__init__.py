"""An expert's gate and its examples for retrieval; a router for all experts of a pool."""
