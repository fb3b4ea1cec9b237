"""What callers meet: routes, bodies, documents, access and the edge around them."""
