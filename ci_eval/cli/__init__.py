"""The command line: one short module per command group, which parses, calls and renders."""
