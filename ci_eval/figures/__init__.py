"""Counts, latencies and costs of runs, with their intervals. Pure."""
