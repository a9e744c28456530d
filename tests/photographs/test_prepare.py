"""From photographs to pairs on disk."""

import csv
import inspect
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image
from skimage import data

from inpaint_lib import paths, prepare
from inpaint_lib.photographs import pairs as cutting
from inpaint_lib.photographs import prepare as module
from inpaint_lib.photographs.pairs import flat, tiles
from inpaint_lib.photographs.sources import TEST, TRAIN, VAL, brick_source, tutorial_sources

SPLITS = ["train", "val", "test"]
SIDES = {"small": (12, 20), "medium": (24, 36), "large": (48, 64)}
DEFAULTS = {name: p.default for name, p in inspect.signature(prepare).parameters.items()}


def manifest(folder: Path) -> list[dict[str, str]]:
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def decoded(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): pixels(p).tobytes() for p in sorted(root.rglob("*.png"))}


def triples(folder: Path):
    """(row of the manifest, original, occluded, mask) of each pair."""
    for row in manifest(folder):
        yield (
            row,
            pixels(folder / "original_images" / row["name"]),
            pixels(folder / "occluded_images" / f"occluded_{row['name']}"),
            pixels(folder / "masks" / row["name"]),
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict[str, int]]:
    """The tutorial's two worlds as by default, with fewer pairs to train on."""
    out = tmp_path_factory.mktemp("dataset")
    return out, prepare(out=out, train_pairs=28)


@pytest.fixture(scope="module")
def root(made) -> Path:
    return made[0]


@pytest.fixture(scope="module", params=[(), ("bricks",)], ids=["wide", "bricks"])
def world(request, root) -> Path:
    return root.joinpath(*request.param)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of seven photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(7):
        array = np.random.default_rng(i).integers(0, 256, (150, 170 + i, 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"photo{i}.png")
    return folder


def prepare_few(photos: Path, out: Path, **options) -> dict[str, int]:
    return prepare(photos=photos, out=out, **{"train_pairs": 6, "per_bucket": 1} | options)


# The tutorial's two worlds


def test_by_default_there_are_600_pairs_to_train_on_and_24_in_each_bucket():
    assert DEFAULTS["train_pairs"] >= 600
    assert DEFAULTS["per_bucket"] >= 24


def test_as_many_training_pairs_are_made_as_asked_for(world):
    assert len(manifest(world / "train")) >= 28


def test_it_returns_how_many_pairs_each_folder_holds(made):
    root, counts = made
    folders = [root.joinpath(*w, s) for w in ((), ("bricks",)) for s in SPLITS]
    assert counts == {str(folder): len(manifest(folder)) for folder in folders}


def test_held_out_photographs_are_never_trained_on(root):
    names = {s: {row["photograph"] for row in manifest(root / s)} for s in SPLITS}
    assert len(names["test"]) >= 5
    assert len(names["val"]) >= 3
    assert not names["train"] & names["val"]
    assert not names["train"] & names["test"]
    assert not names["val"] & names["test"]
    assert names["test"] == set(TEST)
    assert names["val"] == set(VAL)
    assert names["train"] > set(TRAIN)


def test_no_photograph_is_in_two_splits_under_two_names():
    """Compared as small pictures: the same photograph in another size or file shows up too."""
    seen: dict[str, np.ndarray] = {}
    for split in SPLITS:
        for source in tutorial_sources(split):
            small = source.read().convert("RGB").resize((16, 16), Image.Resampling.BOX)
            seen[f"{split}: {source.name}"] = np.asarray(small).astype(float)
    names = list(seen)
    for i, name in enumerate(names):
        for other in names[:i]:
            assert np.abs(seen[name] - seen[other]).mean() > 10, (name, other)


@pytest.mark.parametrize("split", ["val", "test"])
def test_each_bucket_has_enough_holes_of_its_size(world, split):
    found: dict[str, int] = {}
    for row, _, _, mask in triples(world / split):
        bucket = row["bucket"]
        found[bucket] = found.get(bucket, 0) + 1
        ys, xs = np.nonzero(mask)
        if bucket == "strokes":
            assert 0.10 <= (mask > 0).mean() <= 0.20
        else:
            low, high = SIDES[bucket]
            height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
            assert low <= height <= high
            assert low <= width <= high
            assert len(ys) == height * width, "one box, nothing else"
    assert set(found) == {*SIDES, "strokes"}
    assert min(found.values()) >= 24


def test_training_holes_are_one_to_three_boxes_of_12_to_64_pixels(world):
    counts = set()
    for row, _, _, mask in triples(world / "train"):
        boxes = [numbers(box) for box in row["hole"].split(";")]
        counts.add(len(boxes))
        expected = np.zeros((128, 128), dtype=bool)
        for left, top, width, height in boxes:
            assert 12 <= width <= 64
            assert 12 <= height <= 64
            expected[top : top + height, left : left + width] = True
        assert np.array_equal(mask > 0, expected)
    assert counts == {1, 2, 3}


@pytest.mark.parametrize("split", SPLITS)
def test_pictures_are_128_by_128_and_black_under_their_mask(world, split):
    for _, original, occluded, mask in triples(world / split):
        assert original.shape == occluded.shape == (128, 128, 3)
        assert mask.shape == (128, 128)
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(occluded, np.where(mask[..., None] > 0, 0, original))


@pytest.mark.parametrize("split", SPLITS)
def test_flat_crops_are_left_out(world, split):
    for row, original, _, _ in triples(world / split):
        assert original.std(axis=(0, 1)).max() / 255 >= 0.02, row["name"]


def test_a_flat_colour_is_flat_whatever_the_colour():
    for colour in ((0, 0, 0), (128, 128, 128), (70, 130, 230), (255, 0, 0)):
        assert flat(Image.new("RGB", (128, 128), colour)), colour
    half = np.zeros((128, 128, 3), dtype=np.uint8)
    half[:64] = 200
    assert not flat(Image.fromarray(half))


@pytest.mark.parametrize("split", SPLITS)
def test_the_folders_hold_what_the_manifest_lists_and_nothing_else(world, split):
    names = {row["name"] for row in manifest(world / split)}
    for kind, prefix in (("original_images", ""), ("occluded_images", "occluded_"), ("masks", "")):
        assert {p.name for p in (world / split / kind).iterdir()} == {prefix + n for n in names}


@pytest.mark.parametrize("split", ["val", "test"])
def test_held_out_crops_of_a_photograph_are_the_same_or_share_no_pixel(root, split):
    crops: dict[str, set] = {}
    for row in manifest(root / split):
        crops.setdefault(row["photograph"], set()).add(numbers(row["crop"]))
    for own in crops.values():
        assert len(own) >= 3
        for a in own:
            for b in own - {a}:
                apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
                assert apart, (a, b)


def test_each_photograph_gives_as_many_pairs_as_any_other(root):
    for split in SPLITS:
        per_photograph: dict[str, int] = {}
        for row in manifest(root / split):
            per_photograph[row["photograph"]] = per_photograph.get(row["photograph"], 0) + 1
        assert len(set(per_photograph.values())) == 1


def test_training_crops_come_in_several_scales_and_mirrored(root):
    rows = manifest(root / "train")
    sides = {numbers(row["crop"])[2] - numbers(row["crop"])[0] for row in rows}
    assert min(sides) < 200
    assert max(sides) > 300
    assert {row["mirrored"] for row in rows} == {"0", "1"}


def test_the_manifest_tells_where_each_picture_comes_from(root):
    sources = {s.name: s.read() for split in SPLITS for s in tutorial_sources(split)}
    checked = 0
    for split in SPLITS:
        for row, original, _, _ in list(triples(root / split))[::7]:
            crop = numbers(row["crop"])
            assert crop[2] - crop[0] == crop[3] - crop[1]
            again = sources[row["photograph"]].resize((128, 128), Image.Resampling.LANCZOS, crop)
            if row["mirrored"] == "1":
                again = again.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            assert np.array_equal(original, again)
            checked += 1
    assert checked > 20


# The wall


def test_the_three_parts_of_the_wall_share_no_pixel():
    wall = data.brick()
    parts = {"train": np.s_[:, :352], "val": np.s_[:160, 352:], "test": np.s_[160:, 352:]}
    used = np.zeros(wall.shape, dtype=int)
    for split, part in parts.items():
        used[part] += 1
        picture = np.asarray(brick_source(split).read())
        assert np.array_equal(picture, np.stack([wall[part]] * 3, axis=-1))
    assert used.max() == 1


@pytest.mark.parametrize(
    ("split", "part"),
    [("train", np.s_[:, :352]), ("val", np.s_[:160, 352:]), ("test", np.s_[160:, 352:])],
)
def test_pictures_of_the_wall_come_from_their_own_part(root, split, part):
    own = data.brick()[part]
    places = set()
    for row, original, _, _ in triples(root / "bricks" / split):
        left, top, right, bottom = numbers(row["crop"])
        assert 0 <= left < right <= own.shape[1]
        assert 0 <= top < bottom <= own.shape[0]
        expected = own[top:bottom, left:right]
        if row["mirrored"] == "1":
            expected = expected[:, ::-1]
        assert np.array_equal(original[..., 0], expected)
        assert (original == original[..., :1]).all()
        places.add((left, top))
    assert len(places) > 20


# The seed


def test_the_same_seed_gives_the_same_pixels(root, tmp_path):
    prepare(out=tmp_path, train_pairs=28)
    assert decoded(tmp_path) == decoded(root)
    for path in root.rglob("manifest.csv"):
        assert (tmp_path / path.relative_to(root)).read_text() == path.read_text()


def test_another_seed_gives_other_crops_holes_and_splits(photos, tmp_path):
    for seed in (0, 1):
        prepare_few(photos, tmp_path / str(seed), seed=seed)
        assert {row["seed"] for row in manifest(tmp_path / str(seed) / "test")} == {str(seed)}
    first, second = (manifest(tmp_path / seed / "train") for seed in "01")
    for column in ("crop", "hole", "photograph"):
        assert [row[column] for row in first] != [row[column] for row in second]


# Photographs of one's own


def test_a_folder_of_photographs_is_split_by_photograph(photos, tmp_path):
    counts = prepare_few(photos, tmp_path / "own")
    names = {s: {row["photograph"] for row in manifest(tmp_path / "own" / s)} for s in SPLITS}
    assert counts == {str(tmp_path / "own" / s): len(manifest(tmp_path / "own" / s)) for s in names}
    assert all(names.values())
    assert sum(map(len, names.values())) == 7
    assert set.union(*names.values()) == {path.name for path in photos.iterdir()}
    assert not (tmp_path / "own" / "bricks").exists()


def test_the_split_of_a_folder_follows_from_the_seed(photos, tmp_path):
    for out in ("a", "b"):
        prepare_few(photos, tmp_path / out, seed=5)
    assert decoded(tmp_path / "a") == decoded(tmp_path / "b")


def test_three_photographs_are_enough_and_two_are_not(photos, tmp_path):
    for i in range(3, 7):
        (photos / f"photo{i}.png").unlink()
    counts = prepare_few(photos, tmp_path / "own")
    assert min(counts.values()) > 0
    (photos / "photo0.png").unlink()
    with pytest.raises(ValueError, match=r"photos: 2 photograph.*at least 3"):
        prepare_few(photos, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        prepare(photos=tmp_path / "nowhere", out=tmp_path / "own")


def test_a_damaged_photograph_is_named(photos, tmp_path):
    (photos / "photo3.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"photo3\.png"):
        prepare_few(photos, tmp_path / "own")


@pytest.mark.parametrize("size", [(60, 45), (128, 128), (129, 300), (1000, 140)])
def test_photographs_of_any_size_and_mode_will_do(photos, tmp_path, size):
    array = np.random.default_rng(9).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    for i in range(7):
        Image.fromarray(array).convert("CMYK").save(photos / f"photo{i}.jpg")
        (photos / f"photo{i}.png").unlink()
    prepare_few(photos, tmp_path / "own")
    for split in SPLITS:
        for _, original, occluded, _ in triples(tmp_path / "own" / split):
            assert original.shape == occluded.shape == (128, 128, 3)


@pytest.mark.parametrize("seed", range(4))
def test_a_photograph_with_nothing_to_see_is_named_and_can_be_taken_out(photos, tmp_path, seed):
    flat_one = photos / "zzz_flat.png"
    Image.new("RGB", (200, 180), (9, 9, 9)).save(flat_one)
    with pytest.raises(ValueError, match=r"zzz_flat\.png"):
        prepare_few(photos, tmp_path / "own", seed=seed)
    flat_one.unlink()
    assert min(prepare_few(photos, tmp_path / "own", seed=seed).values()) > 0


def test_tiles_are_as_wide_as_their_number_allows_and_never_enlarged():
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    )
    assert {crop[2] - crop[0] for _, crop in tiles(picture, 6)} == {200}
    assert {crop[2] - crop[0] for _, crop in tiles(picture, 500)} == {128}
    assert len(tiles(picture, 500)) == 12
    assert len(tiles(picture, 5)) == 5


# Writing over


def test_pairs_it_made_itself_are_replaced(photos, tmp_path):
    out = tmp_path / "own"
    prepare_few(photos, out, train_pairs=12, per_bucket=2)
    before = len(list(out.rglob("*.png")))
    prepare_few(photos, out)
    fresh = tmp_path / "fresh"
    prepare_few(photos, fresh)
    assert decoded(out) == decoded(fresh)
    assert len(decoded(out)) < before


@pytest.mark.parametrize("kind", ["original_images", "occluded_images", "masks"])
@pytest.mark.parametrize("prepared", [False, True])
def test_foreign_pictures_are_never_touched(photos, tmp_path, kind, prepared):
    out = tmp_path / "own"
    if prepared:
        prepare_few(photos, out)
    mine = out / "train" / kind / "holiday.png"
    mine.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 3), (1, 2, 3)).save(mine)
    before = decoded(out / "train")
    with pytest.raises(FileExistsError, match=r"holiday\.png"):
        prepare_few(photos, out)
    assert decoded(out / "train") == before


def test_hidden_files_are_no_obstacle(photos, tmp_path):
    hidden = tmp_path / "own" / "train" / "masks" / ".DS_Store"
    hidden.parent.mkdir(parents=True)
    hidden.write_text("")
    prepare_few(photos, tmp_path / "own")
    assert hidden.exists()


@pytest.mark.parametrize("again", [False, True])
def test_interrupted_it_can_be_started_again(photos, tmp_path, monkeypatch, again):
    out = tmp_path / "own"
    if again:
        prepare_few(photos, out)

    real, calls = cutting.bucket_hole, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(cutting, "bucket_hole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_few(photos, out, seed=1)
    monkeypatch.undo()

    prepare_few(photos, out, seed=1)
    prepare_few(photos, tmp_path / "fresh", seed=1)
    assert decoded(out) == decoded(tmp_path / "fresh")


# Flowers102


def test_without_a_network_flowers102_says_what_else_to_do(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise URLError("no route to host")

    flowers = "torchvision.datasets.flowers102.download_and_extract_archive"
    monkeypatch.setattr(flowers, unreachable)
    monkeypatch.setattr(module, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(OSError, match=r"Flowers102.*no route to host.*--photos"):
        prepare(flowers102=True)
    assert list(tmp_path.rglob("*.png")) == []
    assert not (tmp_path / "dataset" / "flowers102").exists()


# Once only


def test_what_this_version_has_prepared_is_not_made_again(monkeypatch, tmp_path):
    made = []
    for place in (module, paths):
        monkeypatch.setattr(place, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    monkeypatch.setattr(module, "prepare", lambda world: made.append(world))
    manifests = [tmp_path / "dataset" / "test", tmp_path / "dataset" / "bricks" / "test"]
    for folder in manifests:
        folder.mkdir(parents=True)
    module.ensure_prepared("bricks")
    assert made == ["bricks"]
    module.ensure_prepared()
    assert made == ["bricks", "photographs", "bricks"]  # nothing there
    for folder in manifests:
        (folder / "manifest.csv").write_text("name,seed\na.png,0\n")
    module.ensure_prepared()
    assert len(made) == 5  # made before there were versions
    text = f"name,version\na.png,{module.VERSION}\n"
    (manifests[0] / "manifest.csv").write_text(text)
    module.ensure_prepared()
    assert made[5:] == ["bricks"]
    (manifests[1] / "manifest.csv").write_text(text)
    module.ensure_prepared()
    assert len(made) == 6


def test_one_world_alone_is_prepared_as_with_the_other(tmp_path):
    both = prepare(out=tmp_path / "both", train_pairs=4, per_bucket=1)
    wall = prepare(out=tmp_path / "wall", train_pairs=4, per_bucket=1, world="bricks")
    assert len(both) == 6
    assert len(wall) == 3
    files = [file for file in (tmp_path / "wall").rglob("*") if file.is_file()]
    assert len(files) > 20
    for file in files:
        name = file.relative_to(tmp_path / "wall")
        assert file.read_bytes() == (tmp_path / "both" / name).read_bytes(), name
    with pytest.raises(ValueError, match="world 'roof': choose one of 'photographs', 'bricks'"):
        prepare(out=tmp_path, world="roof")
    with pytest.raises(ValueError, match="choose one of them"):
        prepare(photos=tmp_path, world="bricks")
