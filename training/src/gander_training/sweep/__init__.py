"""Every mixture of experts that the installed transformers has: a tiny random model of each, opened in every way."""
