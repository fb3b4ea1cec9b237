"""One bundle in detail: what it holds, where it came from, how it was judged and where it is live."""

import os
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from components.bundles.environments import PointerFiles
from components.bundles.loading import Bundle
from components.contracts.errors import RankloopError
from components.gitops.places import git_environments
from components.gitops.settings import repository_settings
from components.home.layout import Home
from pipelines.runs.details import flat, plain_table, plain_text

Document = dict[str, Any]
TOLD_FEATURES = 10
ABOUT_TRAINING = ("reason", "train_requests", "train_rows", "parameters", "rounds", "validation_ndcg")


def bundle_details(home: Home, bundle: Bundle) -> Document:
    """Return all that is known of a bundle; ``environments`` has those that ever served it, or are to.

    Those of a repository come with their ``state`` and the ``link`` of the pull request; ``repository_trouble`` says
    why they are not there.
    """
    manifest = asdict(bundle.manifest)
    sidecar = asdict(bundle.sidecar)
    del sidecar["digest"]
    files = {path.name: path.stat().st_size for path in sorted(bundle.folder.iterdir()) if path.is_file()}
    return {
        "digest": bundle.digest,
        "folder": str(bundle.folder),
        "files": files,
        "manifest": manifest,
        "training": sidecar.pop("training"),
        "verdict": sidecar.pop("verdict"),
        "origin": sidecar,
        **_environments(home, bundle),
    }


def bundle_tables(details: Document) -> RenderableType:
    """Lay out a bundle: what it answers with, its origin, its verdict, its moves."""
    about = plain_table("", "")
    for name, value in flat(_told(details)).items():
        about.add_row(name, ", ".join(value) if isinstance(value, list) else plain_text(value))
    trouble = [Text(f"not known of Git: {details['repository_trouble']}")] if "repository_trouble" in details else []
    return Group(about, "", *_judgement(details["verdict"]), "", *_moves(details["environments"]), *trouble)


def _environments(home: Home, bundle: Bundle) -> Document:
    in_home = _moved(PointerFiles(home.environments), bundle.digest)
    settings = repository_settings(os.environ)
    if settings is None:
        return {"environments": in_home}
    try:
        in_git = git_environments(settings, home, bundle.manifest.shop).states(bundle.digest)
    except RankloopError as error:
        return {"environments": in_home, "repository_trouble": str(error)}
    return {"environments": in_home | in_git}


def _moved(pointers: PointerFiles, digest: str) -> dict[str, Document]:
    environments = {}
    for environment in pointers.environments():
        pointer = pointers.read(environment)
        moves = [asdict(move) for move in pointer.moves if move.bundle == digest]
        if moves:
            environments[environment] = {"live": pointer.bundle == digest, "moves": moves}
    return environments


def _at(link: str | None) -> str:
    return f", {link}" if link else ""


def _told(details: Document) -> Document:
    manifest, training = details["manifest"], details["training"]
    gain = sorted((training.get("importance") or {}).items(), key=lambda feature: -feature[1])
    return {
        "digest": details["digest"],
        "folder": details["folder"],
        "megabytes": round(sum(details["files"].values()) / 1e6, 2),
        "answers with": manifest["baseline"] or " + ".join(part["name"] for part in manifest["blend"]),
        **{name: manifest[name] for name in ("shop", "k", "horizon_days")},
        "features": len(manifest["feature_names"]),
        **{name: manifest[name] for name in ("feature_revision", "candidates", "rules")},
        **details["origin"],
        **{name: training[name] for name in ABOUT_TRAINING if name in training},
        "gain": dict(gain[:TOLD_FEATURES]),
    }


def _judgement(verdict: Document | None) -> list[Text]:
    if verdict is None:
        return [Text("no verdict: the gate has not judged it")]
    said = "the gate lets it go live:" if verdict["promote"] else "the gate refused it:"
    checks = sorted(verdict["checks"], key=lambda check: bool(check["passed"]))
    return [Text(said), *(Text(f"  {'✓' if check['passed'] else '✗'} {check['reason']}") for check in checks)]


def _moves(environments: Document) -> list[Text]:
    if not environments:
        return [Text("no environment has served it")]
    lines = []
    for environment, found in environments.items():
        state = found.get("state") or ("live" if found["live"] else "no longer live")
        lines.append(Text(f"{environment}: {state}{_at(found.get('link'))}"))
        moves = found.get("moves", ())
        lines += [Text(f"  {move['action']} {move['at']} by run {move['run_id']}") for move in moves]
    return lines
