"""`ci-eval doctor`: what of the set-up and of the repository's protections is in force, as facts."""
