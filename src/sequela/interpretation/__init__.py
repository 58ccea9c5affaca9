"""What a prediction looked at."""

from sequela.interpretation.explain import explain

__all__ = ["explain"]
