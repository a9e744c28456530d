"""What the loop is fed with: pairs or pictures, kept in memory or read ahead, batch by batch.

Taught in notebooks/05_gpu_training.ipynb.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler

from .config import TrainConfig
from .crops import ahead, crop_and_cover
from .data import SIZE, Batch, ImageCompletionDataset, Pairs, PairsInMemory, evenly
from .machine import cores, memory_of, processes_here
from .model import PixelRNN, threads_for
from .results import photographs_in
from .squares import Pictures, PicturesInMemory, without_hole

Drawn = tuple[Batch, Tensor]  # and what the network starts from
SHARE = 1 / 3  # of a device's memory that pictures may take
VALIDATED = (50, 4)  # pictures at most to cut squares from to validate on, and squares of each


class Feed:
    """The batches of a run, and the pairs that it is validated on.

    File names are listed at once, pictures are read by `open`. part: (rank, processes), of which
    each draws its share of every batch. `words` says where the pictures are kept.

    Raises what `ImageCompletionDataset`, `photographs_in` and `read_picture` raise.
    """

    def __init__(self, config: TrainConfig, device: torch.device, part: tuple[int, int] = (0, 1)):
        self.config = config
        self.device = device
        self.part = part
        self.pairs: ImageCompletionDataset | None = None
        self.val: Pairs | None = None
        self.names: list[str] = []  # of pictures to train on
        self.held_out: list[str] = []  # and to validate on
        if config.data_dir is None:
            self.pairs = stored_pairs(config)
        else:
            self.names, self.held_out = split(config.data_dir, config.held_out)
        if config.val_occluded_dir is not None and config.val_original_dir is not None:
            self.val = ImageCompletionDataset(
                config.val_occluded_dir, config.val_original_dir, mask_dir=config.val_mask_dir
            )
        elif config.val_dir is not None:
            self.held_out = spread(photographs_in(config.val_dir), VALIDATED[0])

    def open(self) -> None:
        """Read what is kept in memory, and settle the order of the batches."""
        rank, processes = self.part
        self.val = self._validation_data()
        self.data = self._training_data()
        self.sampler: DistributedSampler[Batch] = DistributedSampler(
            self.data, num_replicas=processes, rank=rank, seed=self.config.seed
        )
        indices = cast("Iterable[int]", self.sampler)
        self.batches = BatchSampler(indices, self.config.batch_size // processes, drop_last=False)
        self.source = open_source(self.data, self.batches, self.part, self._loader)

    def _validation_data(self) -> Pairs | None:
        config = self.config
        if self.val is not None:
            fits = self._fits(bytes_of(self.val))
            return PairsInMemory(self.val, self.device) if fits else self.val
        folder = config.val_dir or config.data_dir
        if folder is None or config.crop_size is None or not self.held_out:
            return None
        pictures = PicturesInMemory(Pictures(folder, config.crop_size, names=self.held_out))
        return PairsInMemory(with_holes(pictures, config), self.device)

    def _training_data(self) -> Pairs:
        config = self.config
        if self.pairs is not None:
            fits = self._tell(f"{len(self.pairs):,} pairs", bytes_of(self.pairs))
            if not fits and self.workers:
                evenly(self.pairs, 16)  # what there is to tell of them: see `Doubts`
            return PairsInMemory(self.pairs, self.device) if fits else self.pairs
        assert config.data_dir is not None
        assert config.crop_size is not None  # TrainConfig has seen to it
        pictures = Pictures(
            config.data_dir, config.crop_size, count=config.epoch_size, names=self.names
        )
        fits = self._tell(f"{len(self.names):,} pictures", 3 * pictures.pixel_count)
        return PicturesInMemory(pictures, self.device) if fits else pictures

    def _fits(self, needed: int) -> bool:
        return self.config.in_memory and needed <= SHARE * memory_of(self.device)

    def _tell(self, what: str, needed: int) -> bool:
        """Whether it fits; `words` then says so."""
        size = f"{needed / 1e9:.1f} GB" if needed > 1e9 else f"{needed / 1e6:.1f} MB"
        fits = self._fits(needed)
        where = f"in the memory of {self.device}"
        if fits:
            self.words = f"{what} are kept {where}: {size}"
        else:
            why = f"{size} are too many to be kept {where}" if self.config.in_memory else "as asked"
            self.words = f"{what} are read from files by {self.workers} processes ahead: {why}"
        return fits

    @property
    def workers(self) -> int:
        """Processes that read ahead."""
        if self.config.num_workers is not None:
            return self.config.num_workers
        return max(1, min(16, cores() // processes_here() - 1))

    def _loader(self, data: Dataset[Any], batches: Iterable[Any]) -> DataLoader[Any]:
        return DataLoader(
            data,
            batch_sampler=batches,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            persistent_workers=self.workers > 0,
            generator=torch.Generator(),  # nothing is drawn at random in a worker
        )

    def epoch(self, epoch: int, seed: int, model: PixelRNN) -> Iterator[Drawn]:
        """The batches of an epoch as floats on the device: cropped, mirrored, covered; and what
        the network starts from. All follows from the configuration's seed and this epoch's.

        On a CPU a second core draws the next one; a GPU is behind Python anyway.
        """
        self.sampler.set_epoch(epoch)
        drawn = self._draw(seed, model)
        return ahead(drawn) if self.device.type == "cpu" else drawn

    def _draw(self, seed: int, model: PixelRNN) -> Generator[Drawn, None, None]:
        config = self.config
        fresh = config.fresh_holes or config.data_dir is not None
        generator = torch.Generator().manual_seed(seed)
        for batch in self.source(seed):
            with threads_for(model, batch.mask.numel()), torch.no_grad():
                batch = Batch(*(part.to(self.device, non_blocking=True) for part in batch))
                if config.crop_size is not None or fresh:
                    batch = crop_and_cover(
                        batch,
                        config.crop_size,
                        fresh,
                        generator,
                        config.hole_kind,
                        config.longest_hole,
                        turns=config.turns,
                        part=self.part,
                    )
                batch = batch.to(self.device)
                start = model.begin(batch.occluded, batch.mask)
            yield batch, start


Source = Callable[[int], Iterator[Batch]]  # the batches of an epoch, by its seed


def open_source(
    data: Pairs,
    batches: BatchSampler,
    part: tuple[int, int],
    loader: Callable[[Dataset[Any], Iterable[Any]], DataLoader[Any]],
) -> Source:
    """How batches are made from each kind of data; `loader` reads ahead what is not in memory."""
    if isinstance(data, PairsInMemory):
        return lambda seed: (data.draw(indices) for indices in batches)
    if not isinstance(data, Pictures):
        read_pairs = loader(data, batches)
        return lambda seed: (Batch(*items) for items in read_pairs)
    choices = Choices(data, batches, part)
    if isinstance(data, PicturesInMemory):
        return lambda seed: (
            without_hole(data.take(torch.tensor(chosen))) for chosen in choices.of_epoch(seed)
        )
    read_squares = loader(Squares(data), choices)

    def squares(seed: int) -> Iterator[Batch]:
        choices.of_epoch(seed)
        return (without_hole(original) for original in read_squares)

    return squares


class Choices:
    """The squares of each batch of an epoch: which scale of which picture, top, left.

    They have random numbers of their own, for they may be chosen well before holes are drawn.
    """

    def __init__(self, pictures: Pictures, batches: BatchSampler, part: tuple[int, int]):
        self.pictures = pictures
        self.batches = batches
        self.part = part
        self.seed = 0

    def of_epoch(self, seed: int) -> "Choices":
        self.seed = seed
        return self

    def __iter__(self) -> Iterator[list[list[int]]]:
        generator = torch.Generator().manual_seed(self.seed + 500_029)  # not the holes' seed
        for indices in self.batches:
            yield self.pictures.choose(indices, generator, self.part).tolist()


class Squares(Dataset[Tensor]):
    """Squares by where they are, for workers to read."""

    def __init__(self, pictures: Pictures):
        self.pictures = pictures

    def __getitem__(self, chosen: list[int]) -> Tensor:
        return self.pictures.read(*chosen)


def with_holes(pictures: Pictures, config: TrainConfig) -> Batch:
    """Some squares of each picture under holes as training draws them; the same each time."""
    generator = torch.Generator().manual_seed(config.seed)
    each = torch.arange(len(pictures.paths)).repeat(VALIDATED[1])
    indices = torch.searchsorted(pictures.picture_of, each)
    batch = pictures.draw(indices.tolist(), generator)
    return crop_and_cover(
        batch, None, True, generator, config.hole_kind, config.longest_hole, turns=config.turns
    )


def split(folder: Path, held_out: int) -> tuple[list[str], list[str]]:
    """Names of the pictures of a folder to train on, and of those to validate on.

    Raises ValueError when none is left to train on, and what `photographs_in` raises.
    """
    names = photographs_in(folder)
    if held_out >= len(names):
        raise ValueError(f"held_out {held_out}: {folder} holds {len(names)} pictures; give fewer")
    chosen = spread(names, held_out)
    return [name for name in names if name not in set(chosen)], chosen


def spread(names: Sequence[str], count: int) -> list[str]:
    """At most so many of the names, spread evenly over them."""
    step = max(1.0, len(names) / max(1, count))
    return [names[int(i * step)] for i in range(min(count, len(names)))]


def stored_pairs(config: TrainConfig) -> ImageCompletionDataset:
    """The pairs to train on; of their holes nothing is said where others are drawn."""
    return ImageCompletionDataset(
        config.occluded_dir,
        config.original_dir,
        mask_dir=config.mask_dir,
        doubts=not config.fresh_holes,
    )


def bytes_of(pairs: Pairs) -> int:
    """What pairs take in memory."""
    return 7 * SIZE**2 * len(pairs)
