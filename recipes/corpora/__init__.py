"""Data sources that several families share."""
