"""The step that tests raw rows against the data contract.

::

    raw rows ─▶ rows: valid, or a reason ─▶ clean tables
                        │                └─▶ quarantine
                        ▼
                    findings: counts, limits, warnings; beyond a limit the delivery is refused
"""
