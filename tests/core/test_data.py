"""Pairs on disk: what belongs together, what is read, what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from inpaint_lib import ImageCompletionDataset
from inpaint_lib.data import PairsInMemory, as_float
from inpaint_lib.pictures import PictureWarning, read_picture
from inpaint_lib.squares import Pictures, PicturesInMemory

WIDTH, HEIGHT = 48, 40
HOLE = np.zeros((HEIGHT, WIDTH), dtype=bool)
HOLE[10:25, 12:30] = True
TO_TENSOR = transforms.ToTensor()


def noise(seed: int, low: int = 40) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8 with no pixel so dark that a black box over it is not seen."""
    return np.random.default_rng(seed).integers(low, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def add_pair(root: Path, name: str, original: np.ndarray, hole: np.ndarray = HOLE) -> None:
    save(original, root / "original_images" / name)
    occluded = np.where(hole[..., None], 0, original).astype(np.uint8)
    save(occluded, root / "occluded_images" / f"occluded_{name}")
    save(hole.astype(np.uint8) * 255, root / "masks" / (os.path.splitext(name)[0] + ".png"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pairs, and originals that belong to none and would shift a pairing by order."""
    for seed, name in enumerate(["b.png", "d.png", "f.png"]):
        add_pair(tmp_path, name, noise(seed), np.roll(HOLE, seed, axis=1))
    for name in ("a.png", "c.png", "occluded_b.png"):
        save(noise(9), tmp_path / "original_images" / name)
    return tmp_path


def dataset(root: Path, transform=TO_TENSOR, **options) -> ImageCompletionDataset:
    occluded, original = root / "occluded_images", root / "original_images"
    return ImageCompletionDataset(occluded, original, transform, **options)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32) / 255).permute(2, 0, 1)


# What belongs together


def test_an_occluded_picture_belongs_to_the_original_of_its_name_without_the_prefix(root):
    pairs = dataset(root)
    assert len(pairs) == 3
    for i, (occluded, original, mask) in enumerate(pairs):
        hole = np.roll(HOLE, i, axis=1)
        assert torch.equal(original, as_tensor(noise(i)))
        assert torch.equal(occluded, as_tensor(np.where(hole[..., None], 0, noise(i))))
        assert mask.shape == (1, HEIGHT, WIDTH)
        assert mask.dtype == torch.float32
        assert np.array_equal(mask[0].numpy(), hole)


def test_only_one_prefix_is_taken_off(tmp_path):
    add_pair(tmp_path, "occluded_x.png", noise(1))
    add_pair(tmp_path, "x.png", noise(2))
    pairs = dataset(tmp_path)
    originals = [original for _, original, _ in pairs]
    assert len(originals) == 2
    assert torch.equal(originals[0], as_tensor(noise(1)))
    assert torch.equal(originals[1], as_tensor(noise(2)))


def test_items_come_in_the_order_of_their_names(tmp_path):
    names = ["10.png", "2.png", "a.png", "B.png", "1.png"]
    for seed, name in enumerate(names):
        add_pair(tmp_path, name, noise(seed))
    pairs = dataset(tmp_path)
    for i, name in enumerate(sorted(names)):
        assert torch.equal(pairs[i][1], as_tensor(noise(names.index(name))))


def test_an_index_past_the_end_is_refused(root):
    with pytest.raises(IndexError):
        dataset(root)[3]


def test_an_occluded_picture_without_an_original_is_named(root):
    (root / "original_images" / "d.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"occluded_d\.png.*d\.png.*original_images"):
        dataset(root)


def test_an_occluded_picture_without_a_mask_is_named(root):
    (root / "masks" / "d.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"occluded_d\.png.*d\.png.*masks"):
        dataset(root, mask_dir=root / "masks")
    assert len(dataset(root)) == 3


@pytest.mark.parametrize("kind", ["occluded_images", "original_images", "masks"])
def test_a_missing_folder_is_named_with_a_remedy(root, kind):
    (root / kind).rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=rf"{kind}.*python -m inpaint_lib prepare"):
        dataset(root, mask_dir=root / "masks")


@pytest.mark.parametrize("kind", ["occluded_images", "original_images", "masks"])
def test_an_empty_folder_is_named(root, kind):
    for path in (root / kind).iterdir():
        path.unlink()
    (root / kind / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=kind):
        dataset(root, mask_dir=root / "masks")


def test_files_that_are_not_pictures_are_ignored(root):
    for kind in ("occluded_images", "original_images", "masks"):
        for name in (".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini", "notes.txt"):
            (root / kind / name).write_bytes(b"\x00\x01")
        (root / kind / "folder").mkdir()
    pairs = dataset(root, mask_dir=root / "masks")
    assert len(list(pairs)) == 3


def test_suffixes_in_capitals_and_jpegs_are_pictures_too(tmp_path):
    for name in ("X.PNG", "y.JPG", "z.jpeg"):
        save(noise(0), tmp_path / "original_images" / name)
        save(noise(0), tmp_path / "occluded_images" / f"occluded_{name}")
    assert len(list(dataset(tmp_path))) == 3


# What is refused when it is read


def test_a_pair_of_two_sizes_is_named(root):
    save(noise(1)[:-1], root / "original_images" / "d.png")
    pairs = dataset(root, transform=None)
    assert len(pairs[0]) == 3
    with pytest.raises(ValueError, match=r"occluded_d\.png"):
        pairs[1]


def test_a_mask_of_another_size_is_named(root):
    save(np.zeros((HEIGHT, WIDTH + 1), dtype=np.uint8), root / "masks" / "d.png")
    with pytest.raises(ValueError, match=r"d\.png"):
        dataset(root, transform=None, mask_dir=root / "masks")[1]


@pytest.mark.parametrize("kind", ["occluded_images/occluded_", "original_images/", "masks/"])
@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_a_damaged_picture_is_named(root, kind, damage):
    path = root / f"{kind}d.png"
    whole = path.read_bytes()
    contents = {"truncated": whole[: len(whole) // 2], "text": b"not a picture", "empty": b""}
    path.write_bytes(contents[damage])
    pairs = dataset(root, mask_dir=root / "masks")
    assert len(pairs[0]) == 3
    with pytest.raises(ValueError, match=rf"{path.name}.*cannot be read"):
        pairs[1]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif", "ppm"])
def test_whatever_the_damage_a_picture_is_read_or_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    save(noise(0), path)
    whole, rng, refusals = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(40):
        damaged = bytearray(whole[: rng.integers(0, len(whole))])
        for place in rng.integers(0, max(1, min(len(damaged), 100)), 3) if damaged else []:
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert read_picture(path).mode == "RGB"
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert all(path.name in refusal for refusal in refusals)


# The mask


def pair_of_tensors(tmp_path: Path, changes: dict[tuple[int, int, int], int], **options):
    """The mask of a pair whose originals are 100 everywhere, and differ by `changes`."""
    original = np.full((HEIGHT, WIDTH, 3), 100)
    occluded = original.copy()
    for place, change in changes.items():
        occluded[place] += change
    save(original.astype(np.uint8), tmp_path / "original_images" / "x.png")
    save(occluded.astype(np.uint8), tmp_path / "occluded_images" / "occluded_x.png")
    return dataset(tmp_path, **options)[0][2][0]


def test_the_mask_is_one_where_summed_differences_exceed_the_threshold(tmp_path):
    changes = {
        (1, 1, 0): 7,  # 7/255 = 0.027
        (2, 2, 0): 8,  # 8/255 = 0.031
        (3, 3, 0): 2,  # 3 x 2/255 = 0.024
        (3, 3, 1): 2,
        (3, 3, 2): 2,
        (4, 4, 0): 3,  # 3 x 3/255 = 0.035
        (4, 4, 1): 3,
        (4, 4, 2): 3,
        (5, 5, 0): -9,  # 18/255, of opposite signs
        (5, 5, 1): 9,
    }
    mask = pair_of_tensors(tmp_path, changes)
    assert torch.nonzero(mask).tolist() == [[2, 2], [4, 4], [5, 5]]
    assert mask.unique().tolist() == [0, 1]


def test_the_threshold_can_be_chosen(tmp_path):
    changes = {(1, 1, 0): 20, (2, 2, 0): 60}
    assert pair_of_tensors(tmp_path, changes, mask_thresh=0.1).sum() == 1
    assert pair_of_tensors(tmp_path, changes, mask_thresh=0.01).sum() == 2
    assert pair_of_tensors(tmp_path, changes, mask_thresh=0.5).sum() == 0


def test_the_fourth_argument_is_the_threshold(root):
    pairs = ImageCompletionDataset(
        root / "occluded_images", root / "original_images", transforms.ToTensor(), 3.5
    )
    assert pairs[0][2].sum() == 0


def test_true_masks_find_the_hole_where_the_picture_is_black_itself(tmp_path):
    original = noise(0)
    original[12:20, 14:26] = 0
    add_pair(tmp_path, "night.png", original)
    by_difference = dataset(tmp_path)[0][2][0].numpy()
    by_mask = dataset(tmp_path, mask_dir=tmp_path / "masks")[0][2]
    assert by_difference.sum() == HOLE.sum() - 8 * 12
    assert by_mask.shape == (1, HEIGHT, WIDTH)
    assert by_mask.dtype == torch.float32
    assert np.array_equal(by_mask[0].numpy(), HOLE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_may_be_saved_in_any_mode(root, mode):
    for path in (root / "masks").iterdir():
        Image.open(path).convert(mode).save(path)
    mask = dataset(root, mask_dir=root / "masks")[0][2]
    assert np.array_equal(mask[0].numpy(), HOLE)


def test_the_noise_of_a_mask_that_was_once_a_jpeg_is_no_hole(root):
    grey = np.where(HOLE, 240, 12).astype(np.uint8)
    save(
        grey + np.random.default_rng(0).integers(0, 12, HOLE.shape, dtype=np.uint8), root / "m.png"
    )
    (root / "m.png").replace(root / "masks" / "b.png")
    mask = dataset(root, mask_dir=root / "masks")[0][2]
    assert np.array_equal(mask[0].numpy(), HOLE)


def test_a_photograph_in_place_of_a_mask_is_refused_by_name(root):
    save(noise(0), root / "masks" / "b.png")
    with pytest.raises(ValueError, match=r"masks.b\.png.*mask"):
        dataset(root, mask_dir=root / "masks")[0]


def test_the_mask_of_a_jpeg_is_a_png(tmp_path):
    save(noise(0), tmp_path / "original_images" / "x.jpg")
    save(noise(0), tmp_path / "occluded_images" / "occluded_x.jpg")
    save(HOLE.astype(np.uint8) * 255, tmp_path / "masks" / "x.png")
    mask = dataset(tmp_path, mask_dir=tmp_path / "masks")[0][2]
    assert np.array_equal(mask[0].numpy(), HOLE)


# Transforms


def test_by_default_pictures_become_128_by_128_between_0_and_1(root):
    for options in ({}, {"mask_dir": root / "masks"}):
        occluded, original, mask = dataset(root, transform=None, **options)[1]
        assert occluded.shape == original.shape == (3, 128, 128)
        assert mask.shape == (1, 128, 128)
        assert 0 <= occluded.min() <= original.max() <= 1
        assert original.max() > 0.5
        assert set(mask.unique().tolist()) == {0, 1}
        hidden = torch.from_numpy(HOLE)[None, None].float()
        area = torch.nn.functional.interpolate(hidden, (128, 128)).mean()
        assert area <= mask.mean() <= 1.4 * area


@pytest.mark.parametrize("with_masks", [False, True])
def test_after_resizing_all_that_differs_is_hole(root, with_masks):
    options = {"mask_dir": root / "masks"} if with_masks else {}
    occluded, original, mask = dataset(root, transform=None, **options)[0]
    difference = (occluded - original).abs().sum(dim=0, keepdim=True)
    assert (difference[mask == 0] <= 0.03).all()


def test_a_transform_is_used_as_in_torchvision(root):
    seen = []

    def transform(image):
        seen.append(image)
        return transforms.functional.to_tensor(image.crop((2, 3, 34, 27)))

    occluded, original, mask = dataset(root, transform)[0]
    assert all(isinstance(image, Image.Image) and image.mode == "RGB" for image in seen)
    assert len(seen) == 2
    assert torch.equal(original, as_tensor(noise(0)[3:27, 2:34]))
    assert np.array_equal(mask[0].numpy(), HOLE[3:27, 2:34])
    assert torch.equal(occluded, original * (1 - mask))


RANDOM = transforms.Compose(
    [transforms.RandomCrop(32), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
)


@pytest.mark.parametrize("with_masks", [False, True])
def test_a_random_transform_keeps_the_three_registered_and_still_varies(root, with_masks):
    options = {"mask_dir": root / "masks"} if with_masks else {}
    pairs = dataset(root, RANDOM, **options)
    torch.manual_seed(0)
    crops = set()
    for _ in range(20):
        occluded, original, mask = pairs[0]
        assert original.shape == (3, 32, 32)
        assert 0 < mask.sum() < mask.numel()
        assert torch.equal(occluded, original * (1 - mask))
        crops.add(original.numpy().tobytes())
    assert len(crops) > 10


def test_a_random_transform_follows_from_torchs_seed(root):
    pairs = dataset(root, RANDOM)
    torch.manual_seed(3)
    first = [pairs[0][1] for _ in range(4)]
    torch.manual_seed(3)
    again = [pairs[0][1] for _ in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_an_augmentation_acts_on_the_whole_triple(root):
    calls = []

    def mirrored(*triple):
        calls.append([tuple(t.shape) for t in triple])
        return tuple(t.flip(-1) for t in triple)

    plain, augmented = dataset(root)[0], dataset(root, augment=mirrored)[0]
    assert calls == [[(3, HEIGHT, WIDTH), (3, HEIGHT, WIDTH), (1, HEIGHT, WIDTH)]]
    for before, after in zip(plain, augmented, strict=True):
        assert torch.equal(before.flip(-1), after)


@pytest.mark.parametrize("transform", [None, TO_TENSOR])
def test_what_is_kept_in_memory_gives_the_same_items(root, transform):
    pairs = dataset(root, transform, mask_dir=root / "masks")
    kept = PairsInMemory(pairs)
    assert len(kept) == len(pairs)
    for item, again in zip(pairs, kept, strict=True):
        for a, b in zip(item, again, strict=True):
            assert b.dtype == torch.uint8
            assert torch.equal(as_float(b), a)


def test_pairs_kept_in_memory_are_drawn_in_the_order_asked(root):
    kept = PairsInMemory(dataset(root))
    drawn = kept.draw([2, 0, 2])
    for i, index in enumerate([2, 0, 2]):
        assert all(torch.equal(a[i], b) for a, b in zip(drawn, kept[index], strict=True))


# Pictures of any size


def photographs(folder: Path, *sizes: tuple[int, int]) -> list[np.ndarray]:
    """Pictures (height, width) of noise, each in a range of values of its own, by name."""
    rng = np.random.default_rng(0)
    made = []
    for i, (height, width) in enumerate(sizes):
        made.append(rng.integers(60 * i, 60 * i + 60, (height, width, 3), dtype=np.uint8))
        save(made[-1], folder / f"{i}.png")
    return made


def scaled(picture: np.ndarray, level: int) -> np.ndarray:
    """At a size of 2^(-level / 2)."""
    height, width = (round(side * 2 ** (-level / 2)) for side in picture.shape[:2])
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def place_in(square: np.ndarray, picture: np.ndarray) -> tuple[int, int] | None:
    """Where a square (h, h, 3) lies in a picture (H, W, 3): top, left."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, square.shape)[:, :, 0]
    found = np.argwhere((windows == square).all(axis=(2, 3, 4)))
    return None if len(found) == 0 else tuple(found[0].tolist())


def test_squares_are_cut_from_each_picture_at_each_of_its_scales_and_anywhere(tmp_path):
    pictures = photographs(tmp_path, (33, 40), (20, 90))
    data = PicturesInMemory(Pictures(tmp_path, 16))
    levels = [[0, 1, 2], [0]]  # 33, 23, 16 pixels high; 20, and 14 would be too low
    sizes = [[scaled(p, k) for k in ks] for p, ks in zip(pictures, levels, strict=True)]
    owner = [0] * 4 + [1] * 5  # 2 x 2 squares of 16 x 16 fit into the first, 1 x 5 into the other
    assert len(data) == len(owner)
    generator, seen = torch.Generator().manual_seed(0), {0: set(), 1: set()}
    for _ in range(20):
        occluded, original, mask = data.draw(list(range(9)), generator)
        assert original.dtype == torch.uint8
        assert original.shape == (9, 3, 16, 16)
        assert mask.shape == (9, 1, 16, 16)
        assert not mask.any()
        assert torch.equal(occluded, original)
        for square, picture in zip(original.permute(0, 2, 3, 1).numpy(), owner, strict=True):
            found = [place_in(square, candidate) for candidate in sizes[picture]]
            [level] = [k for k, place in enumerate(found) if place is not None]
            seen[picture].add((level, *found[level]))
    assert {level for level, _, _ in seen[0]} == {0, 1, 2}
    tops, lefts = ({place[k] for place in seen[1]} for k in (1, 2))
    assert tops == set(range(20 - 16 + 1))
    assert min(lefts) < 6
    assert max(lefts) > 90 - 16 - 6


def test_at_most_so_many_scales_are_kept(tmp_path):
    photographs(tmp_path, (64, 64))
    assert len(PicturesInMemory(Pictures(tmp_path, 16)).levels) == 5
    assert len(PicturesInMemory(Pictures(tmp_path, 16, scales=2)).levels) == 2


@pytest.mark.parametrize(("size", "enlarged"), [((9, 30), (16, 53)), ((12, 12), (16, 16))])
def test_pictures_smaller_than_the_square_are_enlarged(tmp_path, size, enlarged):
    [picture] = photographs(tmp_path, size)
    data = PicturesInMemory(Pictures(tmp_path, 16))
    resized = Image.fromarray(picture).resize(enlarged[::-1], Image.Resampling.LANCZOS)
    assert len(data) == enlarged[1] // 16
    square = data.draw([0], torch.Generator().manual_seed(0)).original[0].permute(1, 2, 0).numpy()
    assert place_in(square, np.asarray(resized)) is not None


@pytest.mark.parametrize("count", [1, 3, 7, 25])
def test_an_epoch_has_as_many_squares_as_asked_for(tmp_path, count):
    photographs(tmp_path, (33, 40), (20, 90))
    data = PicturesInMemory(Pictures(tmp_path, 16, count=count))
    assert len(data) == count
    assert len(data.draw(list(range(count)), torch.Generator()).original) == count


def test_squares_follow_from_their_generator_in_part_as_in_whole(tmp_path):
    photographs(tmp_path, (33, 40), (20, 90))
    data = PicturesInMemory(Pictures(tmp_path, 16, count=6))

    def drawn(indices: list[int], part: tuple[int, int], seed: int = 3) -> torch.Tensor:
        return data.draw(indices, torch.Generator().manual_seed(seed), part).original

    whole = drawn([0, 1, 2, 3, 4, 5], (0, 1))
    assert torch.equal(whole, drawn([0, 1, 2, 3, 4, 5], (0, 1)))
    assert not torch.equal(whole, drawn([0, 1, 2, 3, 4, 5], (0, 1), seed=4))
    assert torch.equal(drawn([1, 3, 5], (1, 2)), whole[1::2])
    assert torch.equal(drawn([2, 5], (2, 3)), whole[2::3])


def test_an_item_to_look_at_is_the_same_each_time_with_a_hole_in_its_middle(tmp_path):
    photographs(tmp_path, (33, 40))
    data = PicturesInMemory(Pictures(tmp_path, 16))
    occluded, original, mask = data[1]
    assert torch.equal(original, data[1].original)
    assert set(mask.unique().tolist()) == {0, 255}
    assert mask[0, 8, 8] == 255
    assert torch.equal(occluded, original.masked_fill(mask > 0, 0))


def test_a_folder_without_pictures_and_a_damaged_picture_are_named(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        PicturesInMemory(Pictures(tmp_path, 16))
    photographs(tmp_path, (33, 40), (20, 90))
    (tmp_path / "1.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"1\.png: cannot be read"):
        PicturesInMemory(Pictures(tmp_path, 16))


def test_a_tensor_of_floats_is_passed_on_as_it_is():
    x = torch.rand(2, 3)
    assert as_float(x) is x


# Reading one picture


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned: show it a quarter turn clockwise
    Image.fromarray(noise(0)).save(tmp_path / "turned.png", exif=exif)
    upright = np.asarray(read_picture(tmp_path / "turned.png"))
    assert np.array_equal(upright, np.rot90(noise(0), -1))


def test_transparency_is_dropped_and_that_is_said(tmp_path):
    alpha = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    save(np.concatenate([noise(0), alpha], axis=2), tmp_path / "x.png")
    with pytest.warns(PictureWarning, match=r"x\.png.*transparent"):
        picture = read_picture(tmp_path / "x.png")
    assert np.array_equal(np.asarray(picture), noise(0))


def test_a_palette_picture_has_its_colours(tmp_path):
    few = noise(0) // 128 * 255
    Image.fromarray(few).quantize(8).save(tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").mode == "P"
    picture = read_picture(tmp_path / "x.png")
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), few)


def test_a_grey_picture_gets_three_equal_channels(tmp_path):
    grey = noise(0)[..., 0]
    save(grey, tmp_path / "x.png")
    picture = np.asarray(read_picture(tmp_path / "x.png"))
    assert np.array_equal(picture, np.stack([grey] * 3, axis=-1))


def test_a_cmyk_picture_keeps_its_colours(tmp_path):
    colours = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    colours[:, : WIDTH // 2] = (200, 40, 40)
    colours[:, WIDTH // 2 :] = (40, 40, 200)
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    assert Image.open(tmp_path / "x.jpg").mode == "CMYK"
    picture = read_picture(tmp_path / "x.jpg")
    assert picture.mode == "RGB"
    inside = np.s_[:, 4 : WIDTH // 2 - 8]
    assert np.abs(np.asarray(picture).astype(int) - colours)[inside].max() <= 12


def test_a_16_bit_picture_is_scaled_and_not_clipped_to_white(tmp_path):
    ramp = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    save(ramp, tmp_path / "x.png")
    picture = np.asarray(read_picture(tmp_path / "x.png"))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(picture - ramp[..., None] / 65535 * 255).max() <= 1


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_picture(tmp_path / "none.png")
