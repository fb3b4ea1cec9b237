"""The arms of an environment: their declaration, and the results of each."""
