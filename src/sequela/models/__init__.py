"""Whole models: configuration, module and variants, a family a file."""
