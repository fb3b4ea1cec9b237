"""The arms of an environment: how they are declared, and what each brought."""
