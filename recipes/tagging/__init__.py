"""Tagging of tokens: data, tags, losses, metrics, signatures, baselines."""
