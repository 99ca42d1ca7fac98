"""Trees on quantised rows, voting or boosted, and the same trees as flat arrays.

Values are replaced by the number of cut points they exceed *before* training, so the integers of the artefact are what the trees
were grown on and rounding can change no decision. `Flat.walk` does what `src/classify/forest.rs` does; tests hold the two together.
"""
import dataclasses

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from threadpoolctl import threadpool_limits

LEAF = 255
MAX_CUTS = 254
# A boosted leaf is kept as 128 + its log odds in units of the largest leaf / 127.
MIDDLE, REACH = 128, 127
# The link's table: scores of log odds up to this far from zero, in steps of about this size.
LINK_SPAN, LINK_STEP = 7.0, 0.01


def cut_points(x, most, of=np.asarray):
    """Per feature, ascending integers: quantiles of what was seen (`of=np.unique`: of its different values), without the largest."""
    out = []
    for column in x.T:
        found = np.unique(np.quantile(of(column), np.linspace(0, 1, most + 1), method="lower")).astype(np.int64)
        out.append(found[:-1] if len(found) > 1 else found)
    return out


def quantise(x, cuts):
    """bin = how many cuts the value exceeds."""
    return np.stack([np.searchsorted(c, x[:, j], side="left") for j, c in enumerate(cuts)], axis=1).astype(np.uint8)


class Trained:
    """What scikit-learn grew, over the bins of some columns."""

    def __init__(self, cuts, members):
        self.cuts, self.members = cuts, members

    def probability(self, x):
        """Mean over all trees of the share of watched rows in the leaf."""
        bins = quantise(x, self.cuts).astype(np.float32)
        total = sum(len(m.estimators_) for m, _ in self.members)
        return sum(m.predict_proba(bins[:, columns])[:, 1] * len(m.estimators_) for m, columns in self.members) / total


    def importance(self, features):
        """What the splits on each feature gained, over all trees."""
        total = np.zeros(features)
        for model, columns in self.members:
            total[columns] += model.feature_importances_ * len(model.estimators_)
        return total


class Boosted:
    """The mean of several boosted models over the bins of some columns each."""

    def __init__(self, cuts, models):
        self.cuts, self.models = cuts, models

    def probability(self, x):
        bins = quantise(x, self.cuts).astype(np.float32)
        return logistic(sum(m.decision_function(bins[:, columns]) for m, columns in self.models) / len(self.models))

    def importance(self, features):
        """What the splits on each feature gained, over all trees."""
        total = np.zeros(features)
        for predictor, columns in self.grown():
            inner = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            np.add.at(total, np.asarray(columns)[inner["feature_idx"]], inner["gain"])
        return total

    def grown(self):
        """scikit-learn's trees, each with its columns."""
        return [(predictor, columns) for m, columns in self.models for (predictor,) in m._predictors]


def logistic(odds):
    return 1 / (1 + np.exp(-odds))


def boost(x, y, weight, recipe, columns_of, seed):
    """Boosted trees (Friedman 2001) by `recipe["boost"]`, one model for each column set of `recipe["columns"]`. One thread: sums of
    floats that are split among threads differ from machine to machine."""
    cuts, models = cut_points(x, recipe["cuts"]), []
    bins = quantise(x, cuts).astype(np.float32)
    with threadpool_limits(limits=1):
        for i, columns in enumerate(map(columns_of, recipe["columns"])):
            model = HistGradientBoostingClassifier(early_stopping=False, random_state=seed * 100 + i, **recipe["boost"])
            models.append((model.fit(bins[:, columns], y, sample_weight=weight), columns))
    return Boosted(cuts, models)


def grow(x, y, weight, recipe, columns_of, seed):
    """A forest by `recipe`: boosted, or a list of (kind, trees, column set) that vote."""
    if "boost" in recipe:
        return boost(x, y, weight, recipe, columns_of, seed)
    cuts = cut_points(x, recipe["cuts"])
    bins, members = quantise(x, cuts).astype(np.float32), []
    for i, (kind, trees, columns) in enumerate(recipe["members"]):
        make = {"extra": ExtraTreesClassifier, "random": RandomForestClassifier}[kind]
        model = make(trees, min_samples_leaf=recipe["leaf"], max_leaf_nodes=recipe["leaves"], max_depth=recipe["depth"],
                     max_features="sqrt", n_jobs=2, random_state=seed * 100 + i)
        chosen = columns_of(columns)
        members.append((model.fit(bins[:, chosen], y, sample_weight=weight), chosen))
    return Trained(cuts, members)


@dataclasses.dataclass
class Link:
    """From the sum of boosted leaves to a score: `table[(sum - first) >> shift]`, its ends beyond it. `unit` is a leaf's
    log odds, known while training only."""

    first: int
    shift: int
    table: np.ndarray
    unit: float = 0.0

    def scores(self, sums):
        return self.table[np.clip(np.maximum(sums - self.first, 0) >> self.shift, 0, len(self.table) - 1)]


def link_of(base, leaf_unit, models, trees):
    """The table for leaves of `leaf_unit` log odds each way from MIDDLE in the mean of `models`, added to `base`."""
    unit = leaf_unit / models
    shift = max(0, int(np.log2(max(1.0, LINK_STEP / unit))))
    first = round(MIDDLE * trees + (-LINK_SPAN - base) / unit)
    first, count = max(0, first), int(np.ceil(2 * LINK_SPAN / (unit * 2**shift)))
    middles = first + 2**shift * np.arange(count) + (2**shift - 1) / 2
    return Link(first, shift, np.rint(65535 * logistic(base + (middles - MIDDLE * trees) * unit)).astype(np.int64), leaf_unit)


class Flat:
    """Cut points, roots and nodes (feature, bin, left), children after their parent, right = left + 1. Without a link the
    trees vote; with `classes` each for the class that its leaf holds."""

    def __init__(self, cuts, roots, nodes, depth, link=None, classes=0):
        self.cuts, self.roots, self.nodes, self.depth = cuts, np.asarray(roots), np.asarray(nodes, np.int64).reshape(-1, 3), depth
        self.link, self.classes = link, classes

    def bins(self, x):
        """256 wide, so that a leaf's value may stand where a feature's number does."""
        bins = np.zeros((len(x), 256), np.uint8)
        bins[:, :len(self.cuts)] = quantise(x, self.cuts)
        return bins

    def leaf(self, bins, root):
        """The value of the leaf of one tree that each row ends in."""
        rows, at = np.arange(len(bins)), np.full(len(bins), root)
        for _ in range(self.depth):
            feature, bound, left = self.nodes[at].T
            at = root + left + (bins[rows, feature] > bound)
        return self.nodes[at, 0]

    def votes(self, x):
        """Votes by class, like `Forest::votes`."""
        bins, votes = self.bins(x), np.zeros((len(x), self.classes), np.int64)
        for root in self.roots:
            votes[np.arange(len(x)), self.leaf(bins, root)] += 1
        return votes

    def walk(self, x):
        """Scores 0..65535, like `Forest::predict`."""
        bins, total = self.bins(x), np.zeros(len(x), np.int64)
        for root in self.roots:
            total += self.leaf(bins, root)
        if self.link:
            return self.link.scores(total)
        return (total * 257 + len(self.roots) // 2) // len(self.roots)


def flatten(trained):
    """The flat arrays of a trained forest."""
    if isinstance(trained, Boosted):
        trees, link = boosted_trees(trained)
        return flat_of(trained.cuts, trees, link)
    return flat_of(trained.cuts, [tree_of(t.tree_, columns, watched) for m, columns in trained.members for t in m.estimators_])


def watched(share):
    """The value of a leaf that votes for the second class: its share in 1/255."""
    return round(255 * float(share[1]))


def flat_of(cuts, trees, link=None, classes=0):
    """The flat arrays of trees over bins. Cut points that no node asks about are left out."""
    used = [sorted({n[1] for tree, _ in trees for n in tree if n[1] != LEAF and n[0] == f}) for f in range(len(cuts))]
    place = [{b: i for i, b in enumerate(bins)} for bins in used]
    cuts = [cuts[f][bins].astype(np.int64) for f, bins in enumerate(used)]
    roots, nodes = [], []
    for tree, _ in trees:
        roots.append(len(nodes))
        nodes += [(f, b if b == LEAF else place[f][b], left) for f, b, left in tree]
    return Flat(cuts, roots, nodes, max(depth for _, depth in trees), link, classes)


def boosted_trees(trained):
    """(trees, link): leaves rounded to one unit for all trees."""
    grown = trained.grown()
    unit = max(np.abs(p.nodes["value"][p.nodes["is_leaf"] == 1]).max() for p, _ in grown) / REACH
    base = float(np.mean([m._baseline_prediction[0, 0] for m, _ in trained.models]))
    return [boosted_tree(p.nodes, columns, unit) for p, columns in grown], link_of(base, unit, len(trained.models), len(grown))


def boosted_tree(grown, columns, unit):
    """Nodes of one boosted tree, breadth first, and its depth."""
    order, place, depth = [0], {0: 0}, {0: 0}
    for node in order:
        if not grown[node]["is_leaf"]:
            for child in (int(grown[node]["left"]), int(grown[node]["right"])):
                place[child], depth[child] = len(order), depth[node] + 1
                order.append(child)
    nodes = []
    for node in order:
        here = grown[node]
        if here["is_leaf"]:
            nodes.append((MIDDLE + round(float(here["value"]) / unit), LEAF, place[node]))
        else:
            nodes.append((int(columns[here["feature_idx"]]), int(np.floor(here["num_threshold"])), place[int(here["left"])]))
    return nodes, max(depth.values())


def tree_of(tree, columns, value):
    """Nodes of one tree, breadth first, and its depth. `value` makes a leaf's byte of the shares of its classes."""
    order, place, depth = [0], {0: 0}, {0: 0}
    for node in order:
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left >= 0:
            for child in (left, right):
                place[child], depth[child] = len(order), depth[node] + 1
                order.append(child)
    nodes = []
    for node in order:
        left = int(tree.children_left[node])
        if left < 0:
            share = tree.value[node][0]
            nodes.append((value(share / share.sum()), LEAF, place[node]))
        else:
            nodes.append((int(columns[tree.feature[node]]), int(np.floor(tree.threshold[node])), place[left]))
    return nodes, max(depth.values())
