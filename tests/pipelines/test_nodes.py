"""The nodes of the steps, as an images file names them."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.images import IMAGES_FILE
from pipelines.nodes import Nodes, Toleration, read_nodes


def images_file(folder: Path, nodes: str) -> Path:
    file = folder / "images.toml"
    file.write_text(f"{nodes}\n[images]\n")
    return file


def test_steps_run_on_any_node_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert read_nodes(IMAGES_FILE) == read_nodes(images_file(tmp_path, "")) == Nodes()


def test_labels_and_taints_have_the_names_of_kubernetes(tmp_path: Path) -> None:
    text = """
    [nodes]
    selector = {"node.kubernetes.io/instance-type" = "m6i.2xlarge", pool = ""}
    tolerations = [{key = "dedicated", value = "batch", effect = "NoSchedule"}, {operator = "Exists"}]
    """
    assert read_nodes(images_file(tmp_path, text)) == Nodes(
        {"node.kubernetes.io/instance-type": "m6i.2xlarge", "pool": ""},
        (Toleration("dedicated", "Equal", "batch", "NoSchedule"), Toleration(operator="Exists")),
    )


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("nodes = 1", "the document: found 1, expected an object"),
        ("nodes.selector = {pool = 1}", "selector.pool: found 1, expected a valid string"),
        ("nodes.selector = {pool = 'a b'}", "selector.pool: found 'a b', expected"),
        ("nodes.selector = {'Pool of/ours' = 'a'}", "found 'Pool of/ours', expected"),
        ("nodes.labels = {pool = 'a'}", "labels is not known"),
        ("nodes.tolerations = [{key = 'a', efect = 'NoSchedule'}]", "tolerations.0.efect is not known"),
        ("nodes.tolerations = [{key = 'a', effect = 'Never'}]", "tolerations.0.effect: found 'Never', expected 'NoEx"),
        ("nodes.tolerations = [{key = 'a', operator = 'Exists', value = 'b'}]", "expected no value, or the operator"),
        ("nodes.tolerations = [{value = 'b'}]", "expected a key, or the operator Exists"),
    ],
)
def test_what_kubernetes_would_not_take_is_refused_before_anything_is_compiled(
    tmp_path: Path, nodes: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_nodes(images_file(tmp_path, nodes))
    assert str(refused.value).startswith("images.toml: nodes: ")
    assert words in str(refused.value)
