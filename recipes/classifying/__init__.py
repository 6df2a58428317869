"""Classification of texts: data and baselines."""
