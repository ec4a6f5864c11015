"""The door: the whole method as one object, for a person with a notebook or a short script."""
