"""Text generation: data and checks."""
