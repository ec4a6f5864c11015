"""Measurements of microworld clips that need no training: they read attributes from pixels."""
