"""Commands as users call them."""
