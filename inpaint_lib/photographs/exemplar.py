"""Sharp completion: the network says what is in the hole, the photograph shows how it looks.

From coarse to fine, every patch of the hole takes the nearest known patch, and the patches vote
for their pixels (Wexler, Shechtman & Irani 2007, "Space-Time Completion of Video"). Nearness
counts texture as well as colour, and what was found is handed up from scale to scale (Newson et
al. 2017, "Non-Local Patch-Based Image Inpainting"); a neighbour's source is preferred to one
hardly nearer (Ashikhmin 2001, "Synthesizing Natural Textures"). The network's completion is the
start and, blurred, a part of every patch: a copy that contradicts it is not near. `seams` then
makes one picture of the copies.
"""

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ..filling import compose
from .patches import BLUR, SOURCES, Patches, Scale, blurred
from .seams import Copies, stitch

# Chosen by looking at pictures of dataset/large/val and dataset/large/train, never of test.
RADIUS = 4  # px; a patch has 2 RADIUS + 1 pixels a side
COARSE_RADIUS = 3  # the same at all scales but the last
COARSEST = 3.5  # px; scales are halved until the hole is no deeper
ITERATIONS = 5  # of search and vote at a scale
LAST_ITERATIONS = 3  # the same at the last one
WIDE = 24_000  # patches of a hole for which one iteration is enough
PRODUCTS = 4e7  # distances a search computes at most; a wide hole has fewer sources for it
COHERENCE = 0.5  # of the median distance: what sharing all neighbours' offset is worth
VOTE = 0.3  # of the median distance: at so much more a vote counts 1/e
SWEEPS = 6  # over all patches, in which neighbours' offsets are tried
FAITH = 1.3  # a vote loses so much by every pixel further from what is known


def sharpen(completed: Tensor, mask: Tensor, seed: int = 0) -> Tensor:
    """Put copies of what is known in the place of a completion.

    completed (1, 3, H, W) in [0, 1], the network's; mask (1, 1, H, W), 1 in the hole. Returns
    (1, 3, H, W), known pixels as they were, for the same seed the same. Where no patch is known
    as a whole, the completion stays as it is.
    """
    generator = torch.Generator().manual_seed(seed)
    scales = [Scale(completed, mask, blurred(completed, BLUR))]
    depth = ndimage.distance_transform_cdt(mask[0, 0].numpy(), "chessboard").max()
    while depth > COARSEST:
        scales.append(scales[-1].halved())
        depth /= 2
    coarser: tuple[_Search, Tensor] | None = None
    start = completed
    for level, scale in reversed(list(enumerate(scales))):
        search = _Search(scale, COARSE_RADIUS if level else RADIUS, generator)
        if not len(search.patches.sources):
            coarser = None
            continue
        before = None if coarser is None else search.from_coarser(*coarser)
        start = scale.completed if before is None else search.vote(before, search.faith)
        found, start = search.step(start, before)
        for _ in range(search.iterations(last=level == 0) - 1):
            found, start = search.step(start, found)
        coarser = (search, found)
    if coarser is None:
        return completed
    search, found = coarser
    return stitch(completed, mask, Copies(start, search.patches.texture, search.targets, found))


class _Search:
    """Nearest known patches at one scale, and their votes."""

    def __init__(self, scale: Scale, radius: int, generator: torch.Generator):
        self.scale = scale
        self.radius = radius
        self.generator = generator
        self.height, self.width = scale.mask.shape[-2:]
        self.patches = Patches(scale, radius, generator)
        self.targets = self.patches.targets
        depth = torch.from_numpy(ndimage.distance_transform_edt(scale.mask[0, 0].numpy()))
        self.faith = (FAITH ** -depth.float()).flatten()[self.targets]

    def from_coarser(self, coarser: "_Search", found: Tensor) -> Tensor:
        """What was found at half the size, at this one."""
        width = coarser.width
        coarse = torch.zeros(coarser.height * width, dtype=torch.long)
        coarse[coarser.targets] = found
        y, x = self.targets // self.width, self.targets % self.width
        parent = coarse[y // 2 * width + x // 2]
        down = (parent // width * 2 + y % 2).clamp(max=self.height - 1)
        right = (parent % width * 2 + x % 2).clamp(max=self.width - 1)
        here = down * self.width + right
        lost = ~self.patches.is_source[here]
        sources = self.patches.sources
        drawn = torch.randint(len(sources), (int(lost.sum()),), generator=self.generator)
        here[lost] = sources[drawn]
        return here

    def iterations(self, last: bool) -> int:
        """How often to search and vote. A wide hole was settled at coarser scales."""
        if len(self.targets) > WIDE:
            return 1
        return LAST_ITERATIONS if last else ITERATIONS

    def step(self, picture: Tensor, found: Tensor | None) -> tuple[Tensor, Tensor]:
        """The sources of the patches of `picture`, and the picture that they vote for."""
        found, distance = self.nearest(picture, found)
        typical = (VOTE * distance.median()).clamp(min=1e-6)
        return found, self.vote(found, torch.exp(-distance / typical) * self.faith + 1e-8)

    def nearest(self, picture: Tensor, found: Tensor | None) -> tuple[Tensor, Tensor]:
        """For every target the index of its source, and their squared distance."""
        wanted = self.patches.features(picture)[self.targets]
        some = self.patches.some_sources(min(SOURCES, max(1, int(PRODUCTS / len(wanted)))))
        known = self.patches.known[some]
        offset = known.square().sum(dim=1)
        best = torch.cat(
            [torch.addmm(offset, part, known.T, alpha=-2).argmin(1) for part in wanted.split(1024)]
        )
        best = some[best]
        distance = self._distance(wanted, best)
        if found is not None:
            before = self._distance(wanted, found)
            best = torch.where(before < distance, found, best)
            distance = torch.minimum(before, distance)
        return self._coherent(wanted, best, distance)

    def _distance(self, wanted: Tensor, source: Tensor) -> Tensor:
        return (self.patches.known[source] - wanted).square_().sum(dim=1)

    def _coherent(self, wanted: Tensor, best: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Take over neighbours' offsets: PatchMatch's propagation (Barnes et al. 2009), with a
        reward for each neighbour of the same offset.
        """
        reward = COHERENCE * distance.median() / 4
        targets = self.targets
        field = torch.zeros(self.height * self.width, dtype=torch.long)  # 0: no patch, no offset
        field[targets] = best - targets
        last = self.height * self.width - 1
        around = [(targets + step).clamp(0, last) for step in (1, -1, self.width, -self.width)]
        parity = (targets // self.width + targets % self.width) % 2
        for sweep in range(2 * SWEEPS):
            some = (parity == sweep % 2).nonzero()[:, 0]
            at = targets[some]
            offsets = torch.stack([field[index[some]] for index in around])
            gain = reward * (offsets[None] == offsets[:, None]).sum(dim=0)  # (4, targets)
            cost = distance[some] - reward * (offsets == field[at]).sum(dim=0)
            for offset, worth in zip(offsets, gain, strict=True):
                source = (at + offset).clamp(0, last)
                new = self._distance(wanted[some], source)
                better = self.patches.is_source[source] & (new - worth < cost)
                cost = torch.where(better, new - worth, cost)
                field[at] = torch.where(better, source - at, field[at])
                distance[some] = torch.where(better, new, distance[some])
        return targets + field[targets], distance

    def vote(self, found: Tensor, weights: Tensor) -> Tensor:
        """The hole filled with the weighted mean of what the patches over a pixel say."""
        r = self.radius
        width = self.width + 2 * r
        known = F.pad(self.scale.completed, (r,) * 4, "replicate")[0].flatten(1)
        known = torch.cat([known, torch.ones_like(known[:1])])  # the last row sums the weights
        to, of = (
            (index // self.width + r) * width + index % self.width + r
            for index in (self.targets, found)
        )
        sums = torch.zeros_like(known)
        for down in range(-r, r + 1):
            for right in range(-r, r + 1):
                step = down * width + right
                sums[:, to + step] += weights * known[:, of + step]
        mean = (sums[:3] / sums[3].clamp(min=1e-20)).view(1, 3, -1, width)
        return compose(self.scale.completed, mean[..., r:-r, r:-r], self.scale.mask)
