"""One resumable training loop, with its rates, its optimiser and its curve."""
