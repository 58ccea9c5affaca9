"""What reports say and what is known of a cancer: read with evidence, frozen with its origin."""
