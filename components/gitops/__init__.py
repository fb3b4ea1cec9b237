"""Environments that live in Git: what is live is one line of a branch, and a change of it is a pull request.

::

    promote, rollback ─▶ places ─┬─▶ bundles.environments      the home's pointer moves
                                 └─▶ proposals                 the line is proposed
                                        ├─▶ bundle_line        which line, and its rendered counterpart
                                        ├─▶ remote             fetch and push, over HTTP or SSH
                                        ├─▶ request_text       what people decide by
                                        └─▶ forges             the pull request itself
"""
