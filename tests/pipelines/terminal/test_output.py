"""Output that cannot be written changes neither what a command does nor, but for its product, how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.home.layout import Home
from pipelines.terminal.output import lasting_stream, print_json
from tests.pipelines.homes.tiny_shop import command

pytestmark = pytest.mark.slow(seconds=10)

SHOP = "Büchér 書店"


def run(*words: str | Path, shell: str = "", **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the installed command as a shell does, with redirections."""
    line = ["sh", "-c", f'exec "$@" {shell}', "sh", *command(*words)]
    return subprocess.run(line, env=os.environ | variables, capture_output=True, check=False)


@pytest.fixture
def book_shop(tmp_path: Path) -> Path:
    """Make an empty home whose folder's name no Western encoding has."""
    folder = tmp_path / SHOP
    folder.mkdir()
    (folder / "runs").mkdir()
    return folder


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_a_letter_that_the_terminal_lacks_is_replaced(book_shop: Path, encoding: str) -> None:
    ended = run("runs", "--home", book_shop, PYTHONIOENCODING=encoding)
    assert ended.returncode == 0, ended.stderr
    shown = b"".join((ended.stdout + ended.stderr).split())
    assert SHOP.replace(" ", "").encode(encoding, "replace") in shown


def test_files_are_utf8_in_any_locale(tmp_path: Path) -> None:
    bare = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    script = (
        r"import pathlib, pipelines.terminal.output as o; o.use_utf8(); pathlib.Path('name').write_text('\u66f8\u5e97')"
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | bare, cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert (tmp_path / "name").read_bytes() == "書店".encode()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_document_is_whole_in_any_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    with (tmp_path / "document").open("wb") as file:
        monkeypatch.setattr(sys, "stdout", lasting_stream(file.fileno(), encoding))
        print_json({"shop": SHOP})
    assert json.loads((tmp_path / "document").read_text(encoding)) == {"shop": SHOP}


@pytest.mark.parametrize("shell", [">/dev/full", ">&-", "| true", "2>/dev/full", "2>&-", "</dev/null >&- 2>&-"])
def test_words_that_cannot_be_written_do_not_change_the_exit_code(home_with_record: Home, shell: str) -> None:
    words = command("runs", "--home", home_with_record.root)
    note = 'echo "ended $?" >"$ENDED"'
    script = f'{{ "$@"; {note}; }} | true' if shell == "| true" else f'"$@" {shell}; {note}'
    ended = home_with_record.root / "ended"
    subprocess.run(["sh", "-c", script, "sh", *words], env=os.environ | {"ENDED": str(ended)}, check=False)
    assert ended.read_text() == "ended 0\n"


@pytest.mark.parametrize("words", [["runs", "--json"], ["keys", "add", "shop"]])
def test_a_document_that_is_lost_on_a_full_disk_is_an_error(home_with_record: Home, words: list[str]) -> None:
    ended = run(*words, "--home", home_with_record.root, shell=">/dev/full")
    assert ended.returncode == 1
    assert b"standard output cannot be written (No space left on device)" in ended.stderr


def test_a_slow_reader_that_wants_no_waiting_gets_everything() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    lines = 100_000  # more than a pipe holds
    count = [sys.executable, "-c", "print(len(open(0).readlines()))"]
    reader = subprocess.Popen(count, stdin=reading, stdout=subprocess.PIPE)
    os.close(reading)
    with lasting_stream(writing, "utf-8") as stream:
        for _ in range(lines):
            stream.write("a line of words\n")
    os.close(writing)
    assert reader.communicate()[0] == f"{lines}\n".encode()
