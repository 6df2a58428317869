"""Datasets that recipes share: one declaration each, with sources, licence and a sample."""
