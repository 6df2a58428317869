"""Translation of sentences: data, signatures, metrics, baselines."""
