"""Published examples of others, rebuilt to be measured together with the recipes in one run."""
