"""Which cases are run first, within a budget. Pure."""
