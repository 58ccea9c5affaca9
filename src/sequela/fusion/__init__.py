"""Vectors of several modalities or times to tokens."""
