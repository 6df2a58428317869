"""Attacks on the product, drawn from a seed."""
