"""Golden sets: the cases by which a target is judged."""
