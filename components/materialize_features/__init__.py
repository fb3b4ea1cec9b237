"""The step that writes the newest snapshot to the online store and applies the registry of Feast."""
