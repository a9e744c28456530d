"""One picture out of many copies: seams where copies meet unseen, and edges blended away.

Every pixel of the hole is copied from one place, by an offset that is its label. Which, so that
little is seen where two labels meet, graph cuts find (Kwatra et al. 2003, "Graphcut Textures";
Boykov, Veksler & Zabih 2001), among the few offsets that most patches agree on (He & Sun 2012,
"Statistics of Patch Offsets for Image Completion"). The copies' differences between neighbours
then make the picture (Perez et al. 2003, "Poisson Image Editing").
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch import Tensor

from ..filling import compose
from ..holes import bounding_box

# Chosen by looking at pictures of dataset/large/val and dataset/large/train, never of test.
LABELS = 40  # offsets to choose from
ROUNDS = 2  # of all labels
SQUARE = 5  # px a side; copies and estimate are compared in means over so many pixels
TEXTURE = 1.0  # weight of the texture's difference beside that of the colours
RIM = 4.0  # the same of a pixel on the rim, of which the true colour is known
UNKNOWN = 50.0  # the cost of a copy from where nothing is known
WIDE = 6000  # pixels; in a larger hole labels grow by steps of NEARBY
NEARBY = 8  # px
RESOLUTION = 2000  # graph cuts want whole numbers
VISIBLE = 0.1  # of [0, 1]: copies that differ by less are blended, by more stay an edge
HOLD = 1e-3  # a little of the copies' own colours keeps wide holes from drifting
STEPS = 200  # of conjugate gradients, at most


class Copies(NamedTuple):
    """What is copied to where; pixels are indices into the flattened picture."""

    estimate: Tensor  # (1, 3, H, W), what the copies together should look like, in the mean
    texture: Tensor  # (1, 2, H, W), how rough
    targets: Tensor  # (N,)
    sources: Tensor  # (N,)


def stitch(completed: Tensor, mask: Tensor, copies: Copies) -> Tensor:
    """Fill the hole with copies of what is known, each pixel from one place, and blend them.

    completed (1, 3, H, W), mask (1, 1, H, W). Returns `completed` with another hole.
    """
    area = _Area(completed, mask, copies)
    filled = _blended(area, area.cut())
    result = completed[0].flatten(1).clone()
    result[:, area.pixels] = filled.T.clamp(0, 1)
    return compose(completed, result.view_as(completed), mask)


class _Area:
    """The hole and its rim, one known pixel wide, as a graph: pixels, and edges to neighbours."""

    def __init__(self, completed: Tensor, mask: Tensor, copies: Copies):
        self.height, self.width = mask.shape[-2:]
        hole = mask.flatten() > 0.5
        inside = F.max_pool2d(mask, 3, stride=1, padding=1)[0, 0] > 0.5
        self.pixels = inside.flatten().nonzero()[:, 0]  # (N,)
        self.is_rim = ~hole[self.pixels]
        colours = completed[0].flatten(1).T  # (H W, 3)
        self.true = colours[self.pixels]  # on the rim
        rows, columns = bounding_box(inside.numpy())
        inside = inside[rows, columns]
        self.inside = inside  # (h, w), the pixels in their bounding box
        number = torch.full(inside.shape, -1)
        number[inside] = torch.arange(len(self.pixels))
        across = torch.stack([number[:, :-1].flatten(), number[:, 1:].flatten()])
        down = torch.stack([number[:-1].flatten(), number[1:].flatten()])
        edges = torch.cat([across, down], dim=1)
        self.p, self.q = edges[:, (edges >= 0).all(dim=0)]  # neighbours, each pair once
        sources, valid = self._sources(copies, hole)  # (L, N)
        self.colours = colours[sources]  # (L, N, 3)
        self.cost = self._cost(copies, sources, valid)  # (L, N)

    def _sources(self, copies: Copies, hole: Tensor) -> tuple[Tensor, Tensor]:
        """Where each label takes each pixel from, and whether that is known; (L, N)."""
        width = self.width
        targets, sources = (x[hole[copies.targets]] for x in (copies.targets, copies.sources))
        moves = sources // width - targets // width, sources % width - targets % width
        offsets, counts = torch.unique(torch.stack(moves), dim=1, return_counts=True)
        down, right = offsets[:, counts.argsort(descending=True, stable=True)[:LABELS], None]
        y, x = self.pixels // width + down, self.pixels % width + right
        valid = (y >= 0) & (y < self.height) & (x >= 0) & (x < width)
        places = y.clamp(0, self.height - 1) * width + x.clamp(0, width - 1)
        return places, valid & ~hole[places]

    def _cost(self, copies: Copies, sources: Tensor, valid: Tensor) -> Tensor:
        """What it costs to copy a pixel with a label, in differences of colour; (L, N).

        The estimate is a mean of copies, smoother than any of them: only means over a square are
        compared with it, or the smoothest copies would be the nearest.
        """
        wanted = copies.estimate[0].flatten(1).T[self.pixels]
        miss = (self.colours - wanted).where(valid[..., None], torch.zeros(()))  # (L, N, 3)
        maps = torch.zeros(3 * len(miss) + 1, *self.inside.shape)
        maps[:-1, self.inside] = miss.transpose(1, 2).flatten(0, 1)
        maps[-1, self.inside] = 1
        maps = F.avg_pool2d(maps[None], SQUARE, stride=1, padding=SQUARE // 2)[0, :, self.inside]
        means = (maps[:-1] / maps[-1]).view(len(miss), 3, -1)
        texture = copies.texture[0].flatten(1).T
        rougher = (texture[sources] - texture[self.pixels]).norm(dim=-1)
        cost = torch.where(
            self.is_rim, RIM * miss.norm(dim=-1), means.norm(dim=1) + TEXTURE * rougher
        )
        return cost.where(valid, torch.full((), UNKNOWN))

    def cut(self) -> Tensor:
        """The labels of least cost: one after the other may take pixels from the others."""
        labels = self.cost.argmin(dim=0)
        for _ in range(ROUNDS):
            before = labels
            for label in range(len(self.cost)):
                labels = self._expanded(labels, label)
            if torch.equal(labels, before):
                break
        return labels

    def _expanded(self, labels: Tensor, label: int) -> Tensor:
        """Give `label` to the pixels where that lowers the cost of the whole most: a minimum cut.

        An edge costs `kept` if neither end takes the label, `p_takes` or `q_takes` if one does,
        and nothing if both do.
        """
        free = self._near(labels == label)
        some = free[self.p] | free[self.q]
        p, q = self.p[some], self.q[some]
        a, b = labels[p], labels[q]
        new = torch.full_like(a, label)
        kept, p_takes, q_takes = (
            (self.colours[at_p, p] - self.colours[at_q, p]).norm(dim=-1)
            + (self.colours[at_p, q] - self.colours[at_q, q]).norm(dim=-1)
            for at_p, at_q in ((a, b), (new, b), (a, new))
        )
        between = (p_takes + q_takes - kept).clamp(min=0)
        gain = self.cost[label] - self.cost[labels, torch.arange(len(labels))]
        gain = gain.index_add(0, p, p_takes - kept).index_add(0, q, p_takes, alpha=-1)
        gain = gain.index_add(0, q, between.where(~free[p], torch.zeros(())))
        between[~(free[p] & free[q])] = 0
        stays = _stay(p.numpy(), q.numpy(), between.numpy(), (gain * free).numpy())
        return labels.where(torch.from_numpy(stays) | ~free, torch.full((), label))

    def _near(self, there: Tensor) -> Tensor:
        """Pixels near those that are `there`; in a hole that is not wide, all; (N,) bool."""
        if len(self.pixels) <= WIDE:
            return torch.ones_like(there)
        field = torch.zeros(1, *self.inside.shape)
        field[0, self.inside] = there.float()
        for kernel in ((2 * NEARBY + 1, 1), (1, 2 * NEARBY + 1)):
            field = F.max_pool2d(field, kernel, stride=1, padding=(kernel[0] // 2, kernel[1] // 2))
        return field[0, self.inside] > 0.5


def _stay(p: np.ndarray, q: np.ndarray, between: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Which pixels stay in the cut of least cost; (N,) bool.

    A pixel that takes the label costs `gain`; an edge costs `between` if p stays and q takes it.
    """
    between, gain = ((RESOLUTION * x).round().astype(np.int32) for x in (between, gain))
    source, sink = len(gain), len(gain) + 1
    linked = between > 0
    against, favour = (gain > 0).nonzero()[0], (gain < 0).nonzero()[0]
    rows = np.concatenate([p[linked], np.full(len(against), source), favour])
    columns = np.concatenate([q[linked], against, np.full(len(favour), sink)])
    capacity = np.concatenate([between[linked], gain[against], -gain[favour]])
    graph = csr_matrix((capacity, (rows, columns)), shape=(len(gain) + 2,) * 2)
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    stays = np.zeros(len(gain) + 2, dtype=bool)
    stays[breadth_first_order(rest, source, return_predecessors=False)] = True
    return stays[:-2]


def _blended(area: _Area, labels: Tensor) -> Tensor:
    """Colours (N, 3) with the copies' differences between neighbours, as far as may be.

    Where two copies, or a copy and the known rim, differ visibly, the seam is an edge of the
    picture, and its sides stay apart: blended, one would smear into the other.
    """
    p, q = area.p, area.q
    copied = area.colours[labels, torch.arange(len(labels))]
    x = torch.where(area.is_rim[:, None], area.true, copied)
    by_p = area.colours[labels[p], p], area.colours[labels[p], q]
    by_q = area.colours[labels[q], p], area.colours[labels[q], q]
    wanted = (by_p[1] - by_p[0] + by_q[1] - by_q[0]) / 2
    misses = [(copy[i] - x[end]) for copy in (by_p, by_q) for i, end in enumerate((p, q))]
    miss = torch.stack(misses).square().mean(dim=-1).amax(dim=0)[:, None]  # of (0, 1) squared
    stiffness = (1 / (1 + (miss / VISIBLE**2) ** 2)).clamp(min=1e-3)

    def pull(difference: Tensor, own: Tensor) -> Tensor:
        """The gradient, transposed, of stiff differences, and HOLD times `own`."""
        stiff = stiffness * difference
        total = (HOLD * own).index_add(0, q, stiff).index_add(0, p, stiff, alpha=-1)
        return total.masked_fill(area.is_rim[:, None], 0)

    residual = pull(wanted - (x[q] - x[p]), copied - x)
    direction = residual
    size = residual.square().sum(dim=0)
    for _ in range(STEPS):
        if size.max() < 1e-7:
            break
        bent = pull(direction[q] - direction[p], direction)
        step = size / (direction * bent).sum(dim=0).clamp(min=1e-12)
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, step, bent, value=-1)
        before, size = size, residual.square().sum(dim=0)
        direction = residual + size / before.clamp(min=1e-12) * direction
    return x
