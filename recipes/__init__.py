"""The recipes: one module a family of networks, all of the shape that `zoo.recipe` describes."""
