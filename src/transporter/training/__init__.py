"""One resumable training loop, and its optimiser."""
