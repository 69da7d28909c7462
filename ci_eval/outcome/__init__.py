"""All that a gate has to say, as plain data."""
