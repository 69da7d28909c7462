"""Targets: the systems under test. A target turns a case into the request that its model is sent."""
