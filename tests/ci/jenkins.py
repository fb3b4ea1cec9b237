"""Runs the Jenkinsfile: a declarative pipeline, as far as ours goes, read by a parser of Groovy.

What it does not know ends the run, so that a new construct is not passed over.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import tree_sitter
import tree_sitter_groovy

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
PASSED_OVER = {"agent", "options"}  # where it runs, and how many at once


class Pipeline:
    """One build of a Jenkinsfile.

    variables: of the build; ``BRANCH_NAME`` among them. credentials: texts, or paths of files, by their ids.
    is_change: whether it is of a pull request.
    """

    def __init__(
        self, file: Path, variables: Mapping[str, str], credentials: Mapping[str, str], is_change: bool
    ) -> None:
        self._text = file.read_bytes()
        self._folder = file.parent
        self._variables = dict(variables)
        self._credentials = credentials
        self._is_change = is_change

    def run(self) -> None:
        """Run each stage whose conditions hold, in order; a step that fails ends it."""
        root = PARSER.parse(self._text).root_node
        assert not root.has_error, "the Jenkinsfile is no Groovy"
        [pipeline] = [node for node in root.named_children if node.type != "line_comment"]
        for name, node in self._calls(self._closure(pipeline.named_children[0])):
            if name == "stages":
                for _, stage in self._calls(self._closure(node)):
                    self._run_stage(self._closure(stage))
            else:
                assert name in PASSED_OVER, name

    def _run_stage(self, body: tree_sitter.Node) -> None:
        variables: dict[str, str] = {}
        for name, node in self._calls(body):
            closure = self._closure(node)
            if name == "when" and not all(self._value(one) for one in _inner(closure)):
                return
            if name == "environment":
                for assignment in _inner(closure):
                    target, value = assignment.named_children
                    variables[self._of(target)] = str(self._value(value))
            if name == "steps":
                for _, step in self._calls(closure):
                    command = str(self._value(step.named_children[1].named_children[0]))
                    subprocess.run(["sh", "-c", command], cwd=self._folder, env=self._variables | variables, check=True)
            assert name in ("when", "environment", "steps"), name

    def _value(self, node: tree_sitter.Node) -> object:
        """Evaluate an expression; what a variable lacks is false."""
        match node.type:
            case "character_literal":
                return self._of(node)[1:-1]
            case "string_literal":
                return re.sub(r"\$\{env\.(\w+)\}", lambda name: self._variables[name[1]], self._of(node)[1:-1])
            case "field_access":
                return self._variables.get(self._of(node).removeprefix("env."))
            case "binary_expression":
                left, right = (self._value(one) for one in node.named_children)
                operators = {"==": left == right, "&&": left and right}
                return operators[self._of(node.children[1])]
            case "method_invocation" if self._of(node) == "changeRequest()":
                return self._is_change
            case "method_invocation" if self._of(node).startswith("expression {"):
                return all(self._value(one) for one in _inner(self._closure(node)))
            case "method_invocation" if self._of(node).startswith("credentials("):
                return self._credentials[self._of(node).split("'")[1]]
        raise AssertionError(f"not known here: {self._of(node)}")

    def _calls(self, body: tree_sitter.Node) -> list[tuple[str, tree_sitter.Node]]:
        """Return the calls in a block, by the names of what is called."""
        return [(self._of(call.named_children[0]), call) for call in _inner(body)]

    def _closure(self, call: tree_sitter.Node) -> tree_sitter.Node:
        closures = [node for node in call.named_children if node.type == "closure"]
        return closures[0] if closures else call

    def _of(self, node: tree_sitter.Node) -> str:
        return self._text[node.start_byte : node.end_byte].decode()


def _inner(body: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Return what stands in a block, without the statements around expressions."""
    nodes = [node for node in body.named_children if node.type != "line_comment"]
    return [node.named_children[0] if node.type == "expression_statement" else node for node in nodes]
