"""The gating of one affected suite: plan, first pass, comparison, confirmation, decision."""
