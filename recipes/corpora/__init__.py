"""Sources of data that several families use."""
