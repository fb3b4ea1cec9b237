"""The commands of ``rankloop``, one module each, imported when a command is called."""
