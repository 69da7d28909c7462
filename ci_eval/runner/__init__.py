"""Run the cells: ask, score, record; and what was asked before."""
