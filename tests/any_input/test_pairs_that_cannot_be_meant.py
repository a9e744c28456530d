"""Pairs that cannot be right: told once, by file, or understood where that is certain."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import config_for, training
from PIL import Image
from torchvision.transforms import ToTensor

from inpaint_lib import ImageCompletionDataset
from inpaint_lib.pictures import PictureWarning
from inpaint_lib.training import Trainer


def dataset(folder: Path, **options) -> ImageCompletionDataset:
    return ImageCompletionDataset(folder / "occluded_images", folder / "original_images", **options)


def told(data: ImageCompletionDataset) -> list[str]:
    """What is said while all pairs are read, twice."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            _ = [data[i] for i in range(len(data))]
    assert all(issubclass(w.category, PictureWarning) for w in said)
    return [str(w.message) for w in said]


def change(folder: Path, kind: str, name: str, how) -> Path:
    path = folder / kind / name
    with Image.open(path) as image:
        changed = how(image.convert("RGB"))
    changed.save(path)
    return path


def test_of_pairs_in_order_nothing_is_said(pairs):
    assert told(dataset(pairs)) == []
    assert told(dataset(pairs, mask_dir=pairs / "masks")) == []


def test_a_pair_without_a_hole_is_named(pairs):
    whole = pairs / "original_images" / "2.png"
    path = shutil.copy(whole, pairs / "occluded_images" / "occluded_2.png")
    assert told(dataset(pairs))[0].startswith(f"{path}: no hole was found")


def test_a_black_box_over_black_is_no_mistake(pairs):
    for kind, name in (("original_images", "2.png"), ("occluded_images", "occluded_2.png")):
        change(pairs, kind, name, lambda image: Image.new("RGB", image.size))
    assert told(dataset(pairs)) == []


def test_a_pair_of_grey_and_colour_is_named_as_such(pairs):
    for kind, name in (("original_images", "2.png"), ("occluded_images", "occluded_2.png")):
        folder = shutil.copytree(pairs, pairs.with_name(kind))
        change(folder, kind, name, lambda image: image.convert("L"))
        line = told(dataset(folder))[0]
        assert "occluded_2.png: nearly all counts as hole: one of the two pictures is grey" in line


def test_a_picture_of_another_original_is_named(pairs):
    shutil.copy(pairs / "original_images" / "5.png", pairs / "original_images" / "2.png")
    assert "occluded_2.png: nearly all is hole" in told(dataset(pairs))[0]


@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (0, 0, 255), (255, 0, 255)])
@pytest.mark.parametrize("transform", [None, ToTensor()], ids=["resized", "as it is"])
def test_a_hole_of_any_colour_is_said_and_seen_in_black(pairs, colour, transform):
    def coloured(image: Image.Image) -> Image.Image:
        pixels = np.array(image)
        pixels[np.asarray(Image.open(pairs / "masks" / "2.png")) > 0] = colour
        return Image.fromarray(pixels)

    black = dataset(pairs, transform=transform)[2]
    path = change(pairs, "occluded_images", "occluded_2.png", coloured)
    data = dataset(pairs, transform=transform)
    assert told(data)[0].startswith(f"{path}: the hole is not black")
    occluded, original, mask = data[2]
    assert torch.equal(original, black.original)
    assert (mask - black.mask).abs().mean() < 0.02  # by the mixed pixels at the edge
    assert not (occluded * mask).any()
    assert ((occluded - original) * (1 - mask)).abs().max() <= 0.03


def test_three_of_a_kind_are_named_and_that_there_are_more_is_said(pairs):
    for i in range(5):
        whole = pairs / "original_images" / f"{i}.png"
        shutil.copy(whole, pairs / "occluded_images" / f"occluded_{i}.png")
    lines = told(dataset(pairs))
    assert len(lines) == 3
    assert lines[2].endswith("further ones are not named")


def test_both_kinds_of_pictures_in_one_folder_are_paired(pairs, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(pairs / "occluded_images", both)
    shutil.copytree(pairs / "original_images", both, dirs_exist_ok=True)
    data, apart = ImageCompletionDataset(both, both), dataset(pairs)
    assert data.names == apart.names
    for i in range(len(apart)):
        assert torch.equal(data[i].mask, apart[i].mask)
    assert told(data) == []


def test_where_holes_are_drawn_fresh_stored_ones_are_not_asked_for(pairs, tmp_path):
    shutil.rmtree(pairs / "occluded_images")
    shutil.copytree(pairs / "original_images", pairs / "occluded_images")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(Trainer(config_for(pairs, tmp_path / "run", fresh_holes=True)).steps())


@pytest.mark.parametrize("processes", [0, 1])
def test_training_tells_it_in_one_line_and_goes_on(command, pairs, tmp_path, processes):
    whole = pairs / "original_images" / "2.png"
    path = shutil.copy(whole, pairs / "occluded_images" / "occluded_2.png")
    options = {"epochs": 2, "num_workers": processes}
    code, [line] = command(*training(pairs, tmp_path / "run", **options))
    assert code == 0
    assert line.startswith(f"warning: {path}: no hole was found")


def test_a_mask_of_a_turned_original_fits_it_as_it_is_stored(pairs):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, name in (("original_images", "2.png"), ("occluded_images", "occluded_2.png")):
        path = pairs / kind / name
        Image.open(path).crop((0, 0, 40, 30)).save(path, exif=exif)
    mask = pairs / "masks" / "2.png"
    Image.open(mask).crop((0, 0, 40, 30)).save(mask)
    by_mask = dataset(pairs, mask_dir=pairs / "masks")[2].mask
    assert (by_mask - dataset(pairs)[2].mask).abs().mean() < 0.02
