"""A trouble that lasts takes one line of the log, and its end another one."""

import logging


class TroubleLog:
    """Logs one trouble once for as long as it stays the same, and its end."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log, self._level = log, level
        self._trouble: str | None = None

    def say(self, trouble: str, *, exc_info: bool = False) -> None:
        """Log a trouble, unless it is the one that was logged last."""
        if trouble != self._trouble:
            self._log.log(self._level, "%s", trouble, exc_info=exc_info)
        self._trouble = trouble

    def end(self, message: str = "") -> None:
        """Note that there is no trouble; ``message`` is logged where there was one.

        It is a warning too, so that a log that shows the trouble shows its end.
        """
        if self._trouble is not None and message:
            self._log.warning("%s", message)
        self._trouble = None
