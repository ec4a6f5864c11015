"""Videos at concept strength phi: what a concept does to the condition, and sampling under it."""
