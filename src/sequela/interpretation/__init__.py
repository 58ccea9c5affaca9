"""What a prediction looked at."""
