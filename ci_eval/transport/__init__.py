"""The door that sends HTTP, and how fast an endpoint may be asked."""
