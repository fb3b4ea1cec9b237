"""A real Kubernetes API server for tests: its programs, built once a machine, and a server of a test's own."""
