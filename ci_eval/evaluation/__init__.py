"""One suite on one snapshot, asked or recalled."""
