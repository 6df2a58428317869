"""Other people's published examples, rebuilt to be measured beside the recipes in one run."""
