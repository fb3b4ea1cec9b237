"""Lines that were forgotten when a folder of an environment was copied."""

import pytest

from components.contracts.errors import ConfigurationError
from pipelines.environments import Environment, check_environments, environment_of

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n"
CONFIGURATION = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rankloop\ndata:\n  RANKLOOP_HOME: {}\n"


def environment(name: str, **changes: str) -> Environment:
    variables = {"RANKLOOP_ENVIRONMENT": name, "RANKLOOP_HOME": f"s3://shops/{name}"} | changes
    namespace = variables.pop("namespace", "rankloop" if name == "production" else f"rankloop-{name}")
    return Environment(name, namespace, variables)


def test_environments_apart_are_accepted() -> None:
    check_environments([environment("production"), environment("staging"), environment("shop-b")], {})


@pytest.mark.parametrize(
    ("copied", "complaint"),
    [
        ({"namespace": "rankloop"}, "shop-b: found namespace rankloop, expected rankloop-shop-b, as Argo CD expects"),
        ({"RANKLOOP_ENVIRONMENT": "production"}, "found RANKLOOP_ENVIRONMENT=production, expected shop-b"),
        ({"RANKLOOP_HOME": "s3://shops/production"}, "found RANKLOOP_HOME=s3://shops/production, which is that of "),
    ],
)
def test_a_forgotten_line_is_named(copied: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        check_environments([environment("production"), environment("shop-b", **copied)], {})


def test_an_environment_is_read_from_what_is_rendered() -> None:
    texts = [NAMESPACE.format("rankloop-shop-b"), CONFIGURATION.format("s3://shops/b"), "kind: Deployment\n"]
    read = environment_of("shop-b", texts)
    assert (read.namespace, read.variables["RANKLOOP_HOME"]) == ("rankloop-shop-b", "s3://shops/b")
