"""What a cluster lacks for our pipelines: read from its API server, through the official client.

::

    api           the API server: one request, its answer or why not
    platform      checks: the clock, Kubeflow's kinds and its webhook
    namespace     checks: the fences, and what the steps refer to
    outside       checks: images and the online store
    images        whether a registry has an image
    examination   all checks, one after another
"""
