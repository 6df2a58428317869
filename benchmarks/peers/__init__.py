"""Reimplementations of published examples, measured together with the recipes in one run."""
