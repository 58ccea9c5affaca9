"""One file a modality: read, normalise, tensor; and the one batch type."""
