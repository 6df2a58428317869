"""What people read of a run: model cards, plots, the table of results."""
