"""Small data sets for tutorials: images of digits, and the adding problem."""
