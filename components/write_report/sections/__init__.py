"""The sections of the report: each turns step records into what its template shows."""
