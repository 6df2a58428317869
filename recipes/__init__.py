"""The recipes: one module for each family of networks. `zoo.recipe` describes their shape."""
