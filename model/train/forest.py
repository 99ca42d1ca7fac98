"""Trees on quantised rows, and the same trees as flat arrays.

Values are replaced by the number of cut points they exceed *before* training, so the integers of the artefact are what the trees
were grown on and rounding can change no decision. `Flat.walk` does what `src/classify/forest.rs` does; tests hold the two together.
"""
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

LEAF = 255
MAX_CUTS = 254


def cut_points(x, most):
    """Per feature, ascending integers: quantiles of what was seen, without the largest."""
    out = []
    for column in x.T:
        found = np.unique(np.quantile(column, np.linspace(0, 1, most + 1), method="lower")).astype(np.int64)
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


def grow(x, y, weight, recipe, columns_of, seed):
    """A forest by `recipe`: a list of (kind, trees, column set)."""
    cuts = cut_points(x, recipe["cuts"])
    bins, members = quantise(x, cuts).astype(np.float32), []
    for i, (kind, trees, columns) in enumerate(recipe["members"]):
        make = {"extra": ExtraTreesClassifier, "random": RandomForestClassifier}[kind]
        model = make(trees, min_samples_leaf=recipe["leaf"], max_leaf_nodes=recipe["leaves"], max_depth=recipe["depth"],
                     max_features="sqrt", n_jobs=2, random_state=seed * 100 + i)
        chosen = columns_of(columns)
        members.append((model.fit(bins[:, chosen], y, sample_weight=weight), chosen))
    return Trained(cuts, members)


class Flat:
    """Cut points, roots and nodes (feature, bin, left), children after their parent, right = left + 1."""

    def __init__(self, cuts, roots, nodes, depth):
        self.cuts, self.roots, self.nodes, self.depth = cuts, np.asarray(roots), np.asarray(nodes, np.int64).reshape(-1, 3), depth

    def walk(self, x):
        """Scores 0..65535, like `Forest::predict`."""
        bins = np.zeros((len(x), 256), np.int64)
        bins[:, :len(self.cuts)] = quantise(x, self.cuts)
        rows, total = np.arange(len(x)), np.zeros(len(x), np.int64)
        for root in self.roots:
            at = np.full(len(x), root)
            for _ in range(self.depth):
                feature, bound, left = self.nodes[at].T
                at = root + left + (bins[rows, feature] > bound)
            total += self.nodes[at, 0]
        return (total * 257 + len(self.roots) // 2) // len(self.roots)


def flatten(trained):
    """The flat arrays of a trained forest. Cut points that no node asks about are left out."""
    trees = [tree_of(t.tree_, columns) for m, columns in trained.members for t in m.estimators_]
    used = [sorted({n[1] for tree, _ in trees for n in tree if n[1] != LEAF and n[0] == f}) for f in range(len(trained.cuts))]
    place = [{b: i for i, b in enumerate(bins)} for bins in used]
    cuts = [trained.cuts[f][bins].astype(np.int64) for f, bins in enumerate(used)]
    roots, nodes = [], []
    for tree, _ in trees:
        roots.append(len(nodes))
        nodes += [(f, b if b == LEAF else place[f][b], left) for f, b, left in tree]
    return Flat(cuts, roots, nodes, max(depth for _, depth in trees))


def tree_of(tree, columns):
    """Nodes of one tree, breadth first, and its depth."""
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
            nodes.append((round(255 * float(share[1] / share.sum())), LEAF, place[node]))
        else:
            nodes.append((int(columns[tree.feature[node]]), int(np.floor(tree.threshold[node])), place[left]))
    return nodes, max(depth.values())
