"""Reports on runs: model cards, plots, the table of results."""
