"""One loop for every model and stage; checkpoints; run folders."""
