"""The real server, asked over real connections."""
