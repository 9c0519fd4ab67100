"""The command line: the same workflows, from flags or by numbered prompts."""
