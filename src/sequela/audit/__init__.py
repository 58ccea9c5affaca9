"""What is wrong with a cohort before anyone trains on it; never imports torch."""
