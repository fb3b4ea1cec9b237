"""Recurring runs of Kubeflow Pipelines, made equal to a file in Git.

KFP cannot change a recurring run, so a schedule that changed is replaced. At most one of its recurring runs is enabled
at any time, and each tick is started once. What was done so far stands in KFP alone: each call is planned from what
KFP lists, so a plan that was interrupted between any two calls is taken up where it stopped.

::

    old enabled                                 the file says something else now
      | create new, disabled                    its first tick is the first one after its creation
    old enabled, new disabled
      | disable old                             not within 10 s before a tick, nor while one has not been started yet
    old disabled, new disabled                  no recurring run is enabled from here ...
      | delete old                              its running pods go on
    new disabled
      | enable new                              ... to here; KFP starts at once the latest tick that fell in between
    new enabled

    new is stale    old has started a tick that new would start again, because time went by: new is deleted and created
                    again, with the last tick of old as its beginning
    old is stuck    a tick of old waits for longer than a minute, as behind a run that is still at work: new takes it
                    over and begins before that tick; once old is disabled, it is checked again whether old started it
    old is paused   nothing ticks: new begins with its creation

The mark at the end of a recurring run's description says whose it is and what it holds:
``[rankloop owner=OWNER content=DIGEST]``, and ``paused`` where the file says so. What has no such mark, or another
owner, is never touched.

::

    schedule_file     the file
    cron              its expressions and their ticks
    planner           the next call, from what is wanted, what is there and the time; pure
    orphans           which recurring runs outlived their namespace
    recurring_runs    reads and writes KFP's recurring runs
    reconciliation    lists, plans and calls until nothing is left to do
    application       what the command does
"""
