"""Foreign data to our tables, one file a format."""
