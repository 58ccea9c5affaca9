"""Tensors to vectors."""
