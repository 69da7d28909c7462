"""What a gate says, to people and to programs: `model` builds one report, and each renderer is a file beside it."""
