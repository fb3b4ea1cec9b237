"""The name of the Feast project: a home is one shop and one project, so every home's has the same."""

PROJECT = "rankloop"
