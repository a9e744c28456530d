"""How good the network is by now: on pairs that it is not trained on, in numbers and pictures.

Taught in notebooks/04_training.ipynb.
"""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader

from .checkpoints import VAL_COLUMNS
from .config import TrainConfig
from .data import Batch, Pairs, evenly
from .filling import compose
from .losses import completion_loss
from .metrics import psnr
from .model import PixelRNN, threads_for
from .processes import from_all, place, share_buffers


@torch.no_grad()
def sample_rows(model: PixelRNN, pairs: Pairs, device: torch.device) -> Tensor:
    """Occluded, completed and original of eight pairs at most: (3, B, 3, H, W)."""
    batch = evenly(pairs, 8).to(device)
    pred = model.eval()(batch.occluded, batch.mask)
    comp = compose(batch.occluded, pred, batch.mask)
    return torch.stack([batch.occluded, comp, batch.original])


@torch.no_grad()
def validate(
    model: PixelRNN, pairs: Pairs, config: TrainConfig, device: torch.device
) -> dict[str, float]:
    """Averages over the pairs, by VAL_COLUMNS; the hole's PSNR in dB as a mean over pictures.

    Several processes share the batches, and each gets what one alone would compute, to the bit.
    """
    model.eval()
    share_buffers(model)
    rank, processes = place() if dist.is_initialized() else (0, 1)
    starts = range(0, len(pairs), config.batch_size)[rank::processes]
    numbers = list(range(len(pairs)))
    batches = [numbers[start : start + config.batch_size] for start in starts]
    loader = DataLoader(pairs, batch_sampler=batches, generator=torch.Generator())
    rows: dict[int, list[list[float]]] = {}  # by the batch's start
    for start, items in zip(starts, loader, strict=True):
        batch = Batch(*items).to(device)
        with threads_for(model, batch.mask.numel()):
            pred = model(batch.occluded, batch.mask)
        losses = completion_loss(
            pred, batch, hole_term=config.hole_term, ssim_weight=config.ssim_weight
        )
        means = [losses.l1.item(), losses.ssim.item(), losses.loss.item()]
        rows[start] = [[*means, db] for db in psnr(pred, batch.original, batch.mask).tolist()]
    shares = from_all(rows)
    rows = {start: share[start] for share in shares for start in share}
    table = [row for start in sorted(rows) for row in rows[start]]
    # Masked: a hole filled without any error has an infinite PSNR.
    columns = np.ma.masked_invalid(table).mean(axis=0).filled(np.inf)
    return dict(zip(VAL_COLUMNS, columns.tolist(), strict=True))
