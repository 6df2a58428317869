"""Small data sets for lessons: images of digits, and the adding problem."""
