"""The contribution of feature groups to rows' scores: exact SHAP values of trees, looked up instead of computed.

What a leaf adds follows from the conditions on its path alone, and a path of five conditions has 32 outcomes. So what
each outcome adds is computed once, and an answer gathers one line a path and adds them up::

    rows ── conditions of all nodes ── outcomes of each path ──▶ lines of the table ── sum ──▶ [rows, groups]

It is TreeSHAP by path-dependent covers, in a sixth of the time of XGBoost's ``pred_contribs``, which goes through each
tree for each row (the idea of Yang, "Fast TreeSHAP", 2021). A leaf's value v counts for a feature f of its path as

    v (o_f - z_f) times the integral over t in [0, 1] of the product over the other features g of (o_g t + z_g (1 - t))

where z is the share of the training rows that go on along the path at g, and o is 1 if the row does, else 0.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

MOST_DEPTH = 8  # conditions of a path, in one byte
MOST_LINES = 500_000  # of a table: 32 MB with eight groups
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(MOST_DEPTH // 2)
POINTS, WEIGHTS = (POINTS + 1) / 2, WEIGHTS / 2  # on [0, 1]; exact for the product of all but one of eight features
NO_GROUP = -1
Floats = NDArray[np.float64]


class TooLargeError(ValueError):
    """Trees whose tables would be too large, or that are not plain ones."""


@dataclass(frozen=True)
class Tree:
    """A tree by its nodes: a leaf's left child is below 0 and its threshold its value."""

    left: Sequence[int]
    right: Sequence[int]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float32]
    goes_left: NDArray[np.bool_]  # where the feature is missing
    cover: Floats

    def ends(self) -> list[tuple[list[int], list[tuple[int, bool]]]]:
        """Return the nodes above leaves: the path down to each, and its leaves with whether they are on its left."""
        ends, todo = [], [([0], 0)] if self.left[0] >= 0 else []
        while todo:
            path, node = todo.pop()
            children = [(self.left[node], True), (self.right[node], False)]
            leaves = [(child, is_left) for child, is_left in children if self.left[child] < 0]
            todo += [([*path, child], child) for child, _ in children if self.left[child] >= 0]
            if leaves:
                ends.append((path, leaves))
        return ends


class Explainer:
    """Tables of some boosters, each with a factor, for features in groups."""

    def __init__(self, boosters: Sequence[tuple[float, "xgboost.Booster"]], groups: Sequence[int]) -> None:
        """Compute the tables; ``groups`` has a number from 0 for each feature, below 0 for one that is left out.

        Raises:
            TooLargeError: the trees are too deep or too many, or not plain ones.
        """
        self._groups = np.array(groups)
        trees = [(factor, tree) for factor, booster in boosters for tree in _trees(booster)]
        self._feature = np.concatenate([tree.feature for _, tree in trees])
        self._threshold = np.concatenate([tree.threshold for _, tree in trees])[:, None]
        self._goes_left = np.concatenate([tree.goes_left for _, tree in trees])[:, None]
        paths, lines = self._paths_and_lines(trees)
        self._paths = np.array(paths, dtype=np.intp).reshape(-1, MOST_DEPTH)
        self._lines = np.concatenate([np.zeros((0, self._groups.max(initial=0) + 1)), *lines])
        self._starts = np.cumsum([0, *map(len, lines)])[:-1, None]

    def __call__(self, features: NDArray[np.float32]) -> Floats:
        """Return what each group added to each row's score, [rows, groups]."""
        values = features.T.take(self._feature, axis=0)
        goes_left = (values < self._threshold) | (np.isnan(values) & self._goes_left)
        goes_left = np.concatenate([goes_left, np.zeros((1, len(features)), dtype=bool)])
        outcomes = np.packbits(goes_left.take(self._paths, axis=0), axis=1, bitorder="little")[:, 0]
        return np.asarray(self._lines.take(self._starts + outcomes, axis=0).sum(axis=0))

    def _paths_and_lines(self, trees: Sequence[tuple[float, Tree]]) -> tuple[list[list[int]], list[Floats]]:
        """Return each path's nodes, counted over all trees, padded with a node of no tree; and its lines."""
        paths: list[list[int]] = []
        lines: list[Floats] = []
        first = many = 0
        nothing = len(self._feature)
        for factor, tree in trees:
            for path, leaves in tree.ends():
                many += 1 << len(path)
                if len(path) > MOST_DEPTH or many > MOST_LINES:
                    raise TooLargeError(f"found a path of {len(path)} conditions and {many:,} lines, expected fewer")
                paths.append([*(first + node for node in path), *[nothing] * (MOST_DEPTH - len(path))])
                added = [self._added(tree, path, leaf, is_left) for leaf, is_left in leaves]
                lines.append(factor * np.sum(added, axis=0))
            first += len(tree.feature)
        return paths, lines

    def _added(self, tree: Tree, path: Sequence[int], leaf: int, is_left: bool) -> Floats:
        """Return what a leaf adds to each group, by the outcome of the conditions on its path: [outcomes, groups]."""
        nodes = np.array(path)
        onward = np.array([*path[1:], leaf])
        wanted = np.array([tree.left[node] for node in path]) == onward
        wanted[-1] = is_left
        outcomes = np.arange(1 << len(path))[:, None] >> np.arange(len(path)) & 1
        features, place = np.unique(tree.feature[nodes], return_inverse=True)
        goes_on = np.ones((len(outcomes), len(features)))
        share = np.ones(len(features))
        for step, feature in enumerate(place):
            goes_on[:, feature] *= outcomes[:, step] == wanted[step]
            share[feature] *= tree.cover[onward[step]] / tree.cover[nodes[step]]
        return self._by_group(features, float(tree.threshold[leaf]) * _shapley(goes_on, share))

    def _by_group(self, features: NDArray[np.intp], added: Floats) -> Floats:
        totals = np.zeros((len(added), self._groups.max(initial=0) + 1))
        for feature, values in zip(features, added.T, strict=True):
            if self._groups[feature] > NO_GROUP:
                totals[:, self._groups[feature]] += values
        return totals


def _shapley(goes_on: Floats, share: Floats) -> Floats:
    """Shapley values of the features of a path whose leaf is worth one: [outcomes, features]."""
    factors = goes_on[:, :, None] * POINTS + share[:, None] * (1 - POINTS)  # [outcomes, features, points]
    without_one = np.stack([np.delete(factors, one, axis=1).prod(axis=1) for one in range(len(share))], axis=1)
    return np.asarray((goes_on - share) * (without_one @ WEIGHTS))


def _trees(booster: "xgboost.Booster") -> list[Tree]:
    model: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    if model["name"] != "gbtree" or any(any(tree["split_type"]) for tree in model["model"]["trees"]):
        raise TooLargeError(f"found trees of {model['name']}, expected gbtree without categories")
    return [
        Tree(
            tree["left_children"],
            tree["right_children"],
            np.array(tree["split_indices"], dtype=np.intp),
            np.array(tree["split_conditions"], dtype=np.float32),
            np.array(tree["default_left"], dtype=bool),
            np.array(tree["sum_hessian"], dtype=np.float64),
        )
        for tree in model["model"]["trees"]
    ]
