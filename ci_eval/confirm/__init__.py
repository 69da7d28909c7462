"""The gate's rule: what to run again, and when it is enough. Pure."""
