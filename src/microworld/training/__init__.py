"""Training of the microworld's own models, from nothing, on freshly rendered clips."""
