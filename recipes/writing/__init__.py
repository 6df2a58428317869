"""Generation of text: data and checks."""
