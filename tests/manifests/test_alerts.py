"""The alerts, by Prometheus' own test program: what fires, and what does not."""

import json
import subprocess
from pathlib import Path

import pytest

from components.contracts.metrics import BUNDLE_UNVERIFIED
from tests.manifests.overlays import component
from tests.manifests.test_service import named
from tests.servers import binary_of

SERIES = f'{BUNDLE_UNVERIFIED.name}{{namespace="rankloop",arm="champion",pod="%s"}}'


@pytest.mark.parametrize(("values", "fires"), [("0 0 1 1 1", True), ("0 1 0 1 0", False), ("0 0 0 0 0", False)])
def test_a_refused_bundle_is_an_alert_if_it_stays_refused(tmp_path: Path, values: str, fires: bool) -> None:
    rules = named(component("alerts"), "PrometheusRule")["spec"]
    (tmp_path / "rules.yaml").write_text(json.dumps(rules))
    series = [{"series": SERIES % "stable", "values": "0 0 0 0 0"}, {"series": SERIES % "canary", "values": values}]
    alert = rules["groups"][0]["rules"][0]
    annotations = alert["annotations"] | {
        "description": alert["annotations"]["description"]
        .replace("{{ $labels.arm }}", "champion")
        .replace("{{ $labels.namespace }}", "rankloop")
    }
    labels = alert["labels"] | {"namespace": "rankloop", "arm": "champion"}
    expected = [{"exp_labels": labels, "exp_annotations": annotations}] if fires else []
    case = {"alertname": "RankloopBundleUnverified", "eval_time": "4m", "exp_alerts": expected}
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [case]}
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "tests.yaml").write_text(json.dumps(document))
    command = [binary_of("promtool", package="prometheus"), "test", "rules", "tests.yaml"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
