"""The step that promotes a bundle if its verdict says so."""
