"""The storefront page: its assets and the read-only routes that only it needs."""
