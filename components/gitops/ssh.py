"""Git's SSH connection in this process: a key that no other process sees, and hosts that are known."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from dulwich.client import SSHVendor

from components.contracts.errors import ConfigurationError
from components.gitops.settings import KNOWN_HOSTS_FILE, SSH_KEY_FILE

SECONDS = 30.0


@dataclass(frozen=True)
class KnownHostsVendor(SSHVendor):
    """Opens connections for dulwich with a key, to hosts whose key stands in a file."""

    key_file: Path
    known_hosts_file: Path

    def run_command(  # type: ignore[override]  # what is left out says how another program would connect
        self, host: str, command: bytes, username: str | None = None, port: int | None = None, **unused: Any
    ) -> "_Command":
        """Run Git's command on the server.

        Raises:
            ConfigurationError: a file cannot be used.
            paramiko.SSHException: the server refused the key, or its own is not the known one.
        """
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            return self._connected(client, host, port or 22, username or "git", command)
        except BaseException:
            client.close()
            raise

    def _connected(self, client: paramiko.SSHClient, host: str, port: int, user: str, command: bytes) -> "_Command":
        try:
            client.load_host_keys(str(self.known_hosts_file))
        except (OSError, paramiko.SSHException, ValueError) as error:
            raise ConfigurationError(
                f"{KNOWN_HOSTS_FILE}: {self.known_hosts_file} cannot be read ({error}); `ssh-keyscan` prints one"
            ) from error
        waits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), SECONDS)
        client.connect(host, port, user, pkey=self._key(), allow_agent=False, look_for_keys=False, **waits)
        transport = client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the connection was closed")
        channel = transport.open_session(timeout=SECONDS)
        channel.settimeout(2 * SECONDS)
        channel.exec_command(command)
        return _Command(client, channel)

    def _key(self) -> paramiko.PKey:
        try:
            text = self.key_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{SSH_KEY_FILE}: {self.key_file} cannot be read; mount the secret there"
            ) from error
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(text))
            except (paramiko.SSHException, ValueError, IndexError):
                continue
        raise ConfigurationError(
            f"{SSH_KEY_FILE}: {self.key_file} holds no private key that can be used; expected one without a passphrase,"
            " as `ssh-keygen -t ed25519 -N ''` makes it"
        )


class _Command:
    """The remote command's streams, as dulwich wants them."""

    def __init__(self, client: paramiko.SSHClient, channel: paramiko.Channel) -> None:
        self._client, self._channel = client, channel
        self._stdout, self.stderr = channel.makefile("rb"), channel.makefile_stderr("rb")

    def read(self, size: int) -> bytes:
        return bytes(self._stdout.read(size))

    def write(self, content: bytes) -> int:
        self._channel.sendall(content)
        return len(content)

    def can_read(self) -> bool:
        return self._channel.recv_ready()

    def close(self) -> None:
        self._client.close()
