"""A pool as a whole: made, checked, added to, measured."""
