"""Training of the masked noise encoder and of generators."""
