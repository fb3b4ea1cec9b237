"""A `docker` that writes down what it is asked, and keeps its registry in a folder."""

import os
from pathlib import Path

# What it is asked goes to a file; what was pushed is there to be pulled.
DOCKER = """\
#!/bin/sh
for last; do :; done
name=$(echo "$last" | tr / _)
case $1 in
  build) echo "build $*" >> "$CALLS" ;;
  push) echo "push $last" >> "$CALLS"; touch "$PUSHED/$name" ;;
  pull) test -e "$PUSHED/$name" ;;
  login) echo "login $3 $(cat) $last" >> "$CALLS" ;;
  image)
    echo "elsewhere.example.org/${last##*/}@sha256:0"
    last=${last#docker.io/}
    echo "${last%:*}@sha256:$(echo "$last" | sha256sum | cut -c 1-64)" ;;
esac
"""


def write_docker(folder: Path) -> None:
    """Write the program, and an empty registry, below a folder."""
    (folder / "pushed").mkdir()
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(DOCKER)
    (folder / "bin/docker").chmod(0o755)


def docker_variables(folder: Path) -> dict[str, str]:
    """Return the variables by which a process finds it."""
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "PUSHED": str(folder / "pushed"),
    }
