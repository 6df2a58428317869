"""Fixtures that tests of several folders use; `tests/conftest.py` loads them as plugins."""
