"""Whether a resource is well, as Argo CD finds out: by a script in Lua."""

from typing import Any

from lupa.lua51 import LuaRuntime

from tests.kubernetes.modules import ARGO_CD, text_of
from tests.manifests.overlays import MANIFESTS

HEALTH = MANIFESTS / "base" / "argocd" / "health"
SANDBOX = "for _, name in ipairs({'io', 'debug', 'string', 'math', 'coroutine'}) do _G[name] = nil end"


def judged(script: str, resource: dict[str, Any]) -> dict[str, str]:
    """Judge a resource as Argo CD does: Lua 5.1 with the base and the table library alone, for the global `obj`."""
    lua = LuaRuntime(register_eval=False, unpack_returned_tuples=True)
    lua.execute(SANDBOX)
    lua.globals().obj = lua.table_from(resource, recursive=True)
    return dict(lua.execute(script).items())


def own_check(kind: str) -> str:
    """Return our script for a kind of Kubeflow."""
    return (HEALTH / "pipelines.kubeflow.org" / kind / "health.lua").read_text()


def rollout_check() -> str:
    """Return the script for a Rollout that Argo CD brings along."""
    return text_of(ARGO_CD, "resource_customizations/argoproj.io/Rollout/health.lua")
