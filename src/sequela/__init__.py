"""Sequela predicts what follows a cancer: recurrence and survival. Research use only."""

__version__ = "0.1.0"
