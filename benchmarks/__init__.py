"""Measurements as JSON files, and the table of results made from them.

Not part of the wheel: `python -m benchmarks` runs from the root of the repository.
"""
