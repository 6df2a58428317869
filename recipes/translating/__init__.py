"""Sentence translation: data, signatures, metrics, baselines."""
