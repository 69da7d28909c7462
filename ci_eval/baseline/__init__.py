"""How main is remembered, and what its memory tells."""
