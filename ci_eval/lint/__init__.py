"""What is wrong with a golden set, told to whoever keeps it."""
