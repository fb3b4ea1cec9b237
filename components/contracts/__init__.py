"""Types and errors that pass between parts. Nothing here reads a network, starts a process or knows a step."""
