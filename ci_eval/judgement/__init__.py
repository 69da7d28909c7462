"""One affected suite on its way from plan to decision."""
