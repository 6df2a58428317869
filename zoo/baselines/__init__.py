"""Simple, honest methods whose scores are printed beside the networks'."""
