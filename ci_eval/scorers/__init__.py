"""Scorers: an answer and a case in, a score in [0, 1] for one dimension out. One file each, one registry."""
