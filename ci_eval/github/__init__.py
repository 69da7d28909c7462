"""GitHub: what an event asks for, and how its answer is published."""
