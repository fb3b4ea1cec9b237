"""Kubeflow Pipelines, through its own client.

::

    access        where it is, and the credentials
    client        opens the client; every refusal, page and lost answer is one line
    patience      what is done while KFP is away
    versions      a compiled pipeline, uploaded once under the name of its content
    submission    one run of a version, followed to its end
    pods          which steps failed, and what became of their pods
    submitted_run its steps while it works, read from its home
    examination   whether Kubeflow Pipelines answers
    housekeeping  what KFP never deletes
"""
