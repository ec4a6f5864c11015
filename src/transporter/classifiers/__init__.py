"""Networks that name what a real video shows."""
