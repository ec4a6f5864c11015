"""Intervals by resampling, and divergences between distributions."""
