"""A base image's files, taken from this machine: its own Python with pip, a shell, and the libraries they load."""

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import certifi

LEFT_OUT = {"__pycache__", "test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "site-packages"}
COMMANDS = ("cat", "cp", "env", "ls", "mkdir", "mktemp", "rm")  # mktemp is for the commands of KFP's steps
FOLDERS = {"tmp": 0o1777, "root": 0o700} | dict.fromkeys(("dev", "etc", "home", "mnt", "opt", "proc", "sys"), 0o755)
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/hosts": "",  # an engine mounts over it and resolv.conf; if they are missing, each command changes /etc
    "etc/resolv.conf": "",
    "etc/ssl/certs/ca-certificates.crt": certifi.contents(),  # without any, no client of a bucket starts
}
C_LIBRARY = ("libdl.so.2", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1")  # programs may load these
LOADED = re.compile(r"(/\S+) \(0x")  # as ldd names what it found


def write_base(archive: Path) -> None:
    """Write the files as an uncompressed archive, the same for the same machine."""
    with tarfile.open(archive, "w") as tar:
        for folder, mode in FOLDERS.items():
            tar.addfile(_member(folder, mode, tarfile.DIRTYPE))
        for name, text in FILES.items():
            _add(tar, name, text.encode(), 0o644)
        for place, file in sorted(_files()):
            _add(tar, place, file.read_bytes(), file.stat().st_mode & 0o755)
        for place, content in _pip():
            _add(tar, place, content, 0o644)
        link = _member("usr/local/bin/python", 0o777, tarfile.SYMTYPE)
        link.linkname = f"python{_version()}"
        tar.addfile(link)


def _files() -> Iterator[tuple[str, Path]]:
    """Yield where each file goes and the file."""
    shell = {"sh": "dash"}
    programs = {f"bin/{name}": _found(shell.get(name, name)) for name in ("sh", *COMMANDS)}
    programs[f"usr/local/bin/python{_version()}"] = Path(sys.base_prefix, "bin", f"python{_version()}")
    yield from programs.items()
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    modules = [
        file for file in library.rglob("*") if file.is_file() and file.suffix != ".a" and not LEFT_OUT & set(file.parts)
    ]
    for file in modules:
        yield f"usr/local/lib/python{_version()}/{file.relative_to(library)}", file
    compiled = [file for file in modules if file.suffix == ".so" and not file.name.startswith("_tkinter")]
    for loaded in _loaded([*programs.values(), *compiled, _compiled_by_cpp()]):
        # What stands beside Python is found where the system's own libraries are, without a search path of its own.
        inside = loaded.is_relative_to(sys.base_prefix)
        yield f"usr/lib/{sysconfig.get_config_var('MULTIARCH')}/{loaded.name}" if inside else str(loaded)[1:], loaded


def _loaded(files: list[Path]) -> set[Path]:
    asked = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False)
    found = {Path(path) for path in LOADED.findall(asked.stdout)}
    c_library = next(path for path in found if path.name.startswith("libc.so"))
    found |= {c_library.with_name(name) for name in C_LIBRARY}
    return {path for path in found if not path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix}


def _compiled_by_cpp() -> Path:
    """A package's module that loads the C++ library, as many packages do."""
    spec = find_spec("numpy._core._multiarray_umath")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _pip() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the pip that every Python carries for new environments."""
    spec = find_spec("ensurepip")
    assert spec is not None
    assert spec.origin is not None
    wheels = list(Path(spec.origin).parent.glob("_bundled/pip-*.whl"))
    assert wheels, f"{sys.executable} carries no pip; use a Python of uv or pyenv, or install the package python3-venv"
    with zipfile.ZipFile(wheels[0]) as content:
        for name in sorted(content.namelist()):
            yield f"usr/local/lib/python{_version()}/site-packages/{name}", content.read(name)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = _member(name, mode, tarfile.REGTYPE)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _member(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type = mode, kind
    return member


def _found(program: str) -> Path:
    path = shutil.which(program)
    assert path, f"{program} is not installed"
    return Path(path).resolve()


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
