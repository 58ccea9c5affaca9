"""The command line: one file a group of commands, and nothing that thinks."""
