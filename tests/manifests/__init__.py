"""The overlays of manifests/, asked of a real API server."""
