"""``docs/compatibility.md``: which bases Gander runs exactly, which it refuses, and why.

A cell of the table is an architecture with random weights, written by an exporter as one kind of file, and run by the
engine. All three are data (``architectures``, ``exporters``, ``kinds``); the engine's results are compared with PEFT's.
"""
