import os
import subprocess
from pathlib import Path

import pytest

from components.bundles.signing.keys import new_key, parse_keys, read_public_key, read_public_keys, read_signing_key
from components.contracts.errors import ConfigurationError
from tests.components.bundles.signing.signed_bundles import key_in


def openssl(*words: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True).stdout


def private_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "signing.pem"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_keys_that_openssl_makes_sign_and_verify(tmp_path: Path, curve: str) -> None:
    file = private_file(tmp_path, openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"))
    public = tmp_path / "key.pub"
    public.write_bytes(openssl("pkey", "-in", file, "-pubout"))
    key, verifier = read_signing_key(file), read_public_key(public)
    assert key.public.id == verifier.id
    assert verifier.has_signed(b"a message", key.sign(b"a message"))
    assert not verifier.has_signed(b"another", key.sign(b"a message"))


def test_what_is_no_signing_key_is_refused(tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(new_key())
    contents = {
        "found a public key, expected the private key": key_in(tmp_path).public.pem,
        "found a private key with a password": openssl("pkey", "-in", encrypted, "-aes256", "-passout", "pass:secret"),
        "found no private key in PEM": b"not a key",
        "found a key of another kind": openssl("genpkey", "-algorithm", "ED25519"),
        "found a key on the curve secp256k1": openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"
        ),
    }
    for message, content in contents.items():
        with pytest.raises(ConfigurationError, match=rf"signing\.pem: {message}"):
            read_signing_key(private_file(tmp_path, content))


def test_a_private_key_that_others_may_use_is_refused(tmp_path: Path) -> None:
    for mode in (0o644, 0o640, 0o620, 0o604):
        with pytest.raises(ConfigurationError, match=rf"mode {mode:04o}\), expected 0600: `chmod 600"):
            read_signing_key(private_file(tmp_path, new_key(), mode))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for read in (read_signing_key, read_public_key):
        with pytest.raises(ConfigurationError, match=r"lost\.pem: cannot be read \(No such file"):
            read(tmp_path / "lost.pem")
        with pytest.raises(ConfigurationError, match=r"cannot be read \(Is a directory"):
            read(tmp_path)


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    file = private_file(tmp_path, new_key())
    with pytest.raises(ConfigurationError, match="found a private key, expected its public half alone"):
        read_public_key(file)
    file.write_bytes(b"-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n")
    with pytest.raises(ConfigurationError, match="found no public key in PEM"):
        read_public_key(file)


def test_several_keys_are_named_by_folders_and_files(tmp_path: Path) -> None:
    one, two = key_in(tmp_path / "folder", "one"), key_in(tmp_path / "folder", "two")
    three = key_in(tmp_path, "three")
    places = parse_keys(f"{tmp_path / 'folder'}, {tmp_path / 'three.pub'},")
    assert [key.id for key in read_public_keys(places)] == [key.public.id for key in (one, two, three)]
    with pytest.raises(ConfigurationError, match=r"found no public keys in this folder, expected files \*\.pub"):
        read_public_keys([tmp_path / "folder" / os.pardir / "folder", tmp_path.parent])
