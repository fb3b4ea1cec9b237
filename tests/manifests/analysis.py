"""Argo Rollouts' own judgement of an AnalysisTemplate, as far as ours uses it, over a real Prometheus.

It follows ``utils/template``, ``utils/evaluate``, ``metricproviders/prometheus`` and ``analysis`` of Argo Rollouts 1.8,
and was compared with them: a program of theirs that measures the same templates takes a minute to build.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

RENDERED = Path(__file__).parents[2] / "manifests" / "rendered"
ARGUMENT = re.compile(r"{{\s*args\.([\w-]+)\s*}}")
CONDITION = re.compile(r"(?:len\(result\)|result\[0\]|&&|!|<=|>=|>|[()]|\d+(?:\.\d+)?|\s)+")  # of their language, ours

Phase = Literal["Successful", "Failed", "Inconclusive", "Error"]


@dataclass(frozen=True)
class Metric:
    """One metric of a template, with its arguments filled in."""

    document: Mapping[str, Any]

    @property
    def query(self) -> str:
        """The question to Prometheus."""
        query: str = self.document["provider"]["prometheus"]["query"]
        return query

    def measure(self, url: str) -> Phase:
        """Ask a Prometheus, and say what Rollouts would make of its answer."""
        try:
            result = ask(url, self.query)
            return self._evaluated(result)
        except (URLError, IndexError):
            return "Error"

    def assessed(self, phases: Sequence[Phase]) -> Phase:
        """Say what Rollouts makes of all measurements of a run that ends: the worst that is beyond its limit."""
        errors = 0
        for phase in phases:
            errors = errors + 1 if phase == "Error" else 0
            if errors > self.document.get("consecutiveErrorLimit", 4):
                return "Error"
        if phases.count("Inconclusive") > self.document.get("inconclusiveLimit", 0):
            return "Inconclusive"
        return "Failed" if phases.count("Failed") > self.document.get("failureLimit", 0) else "Successful"

    def _evaluated(self, result: Sequence[float]) -> Phase:
        success, failure = (self.document.get(f"{kind}Condition") for kind in ("success", "failure"))
        succeeds = _holds(success, result) if success else not _holds(failure, result)
        fails = _holds(failure, result) if failure else not succeeds
        if fails:
            return "Failed"
        return "Successful" if succeeds else "Inconclusive"


def template(environment: str = "production") -> dict[str, Any]:
    """Return the specification of the rendered AnalysisTemplate."""
    text = (RENDERED / environment / "analysistemplate-rankloop-canary.yaml").read_text()
    specification: dict[str, Any] = yaml.safe_load(text)["spec"]
    return specification


def metrics(**arguments: str) -> dict[str, Metric]:
    """Return the template's metrics by name, for the arguments of one canary.

    Raises:
        KeyError: an argument has no value.
    """
    specification = template()
    values = {one["name"]: one["value"] for one in specification["args"] if "value" in one} | arguments
    text = ARGUMENT.sub(lambda found: json.dumps(values[found[1]])[1:-1], json.dumps(specification["metrics"]))
    return {document["name"]: Metric(document) for document in json.loads(text)}


def ask(url: str, query: str) -> list[float]:
    """Return the values that Prometheus answers a query with; a NaN is one.

    Raises:
        URLError: it does not answer, or refuses the query.
    """
    with urlopen(f"{url}/api/v1/query?{urlencode({'query': query})}", timeout=30) as answer:
        return [float(sample["value"][1]) for sample in json.load(answer)["data"]["result"]]


def _holds(condition: str, result: Sequence[float]) -> bool:
    """Evaluate a condition in the words of Python, which compares NaN as Go does."""
    if not CONDITION.fullmatch(condition):
        raise ValueError(f"condition: found {condition!r}, expected what this module knows of Rollouts' language")
    words = re.sub(r"!(?!=)", " not ", condition.replace("&&", " and "))
    return bool(eval(words, {"__builtins__": {}, "len": len}, {"result": result}))
