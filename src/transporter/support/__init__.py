"""The ground: errors, files, settings, checkpoints and hashes. It imports nothing above it."""
