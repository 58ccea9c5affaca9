"""Predictions to numbers and tests; never sees a model."""
