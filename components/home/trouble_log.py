"""A trouble that lasts takes one line of the log, and its end another one."""

import logging


class TroubleLog:
    """Logs each trouble once for as long as its message stays the same, and its end."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log, self._level = log, level
        self._messages: dict[str, str] = {}

    def report(self, key: str, message: str | None, ended: str = "", exc_info: bool = False) -> None:
        """Log what is wrong with ``key``, unless that was logged last; None: nothing is wrong.

        Args:
            ended: logged where something was wrong before and is no more; a warning too, so that a log that shows a
                trouble shows its end.
        """
        if message is None:
            if self._messages.pop(key, None) is not None and ended:
                self._log.warning("%s", ended)
        elif message != self._messages.get(key):
            self._messages[key] = message
            self._log.log(self._level, "%s", message, exc_info=exc_info)

    def __contains__(self, key: str) -> bool:
        """Say whether something is wrong with ``key``."""
        return key in self._messages
