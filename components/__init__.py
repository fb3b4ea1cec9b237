"""What runs in containers: the steps of the pipelines, the service, and the nouns that they share."""
