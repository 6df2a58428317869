"""Measurements as JSON files, and the table of results made from them."""
