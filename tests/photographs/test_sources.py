"""The photographs that come with the repository: credits, licences, the split."""

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from inpaint_lib.paths import default_path
from inpaint_lib.photographs.sources import (
    TEST,
    TEXTURES,
    TRAIN,
    VAL,
    large_credits,
    large_sources,
    tutorial_source,
)
from inpaint_lib.pictures import list_pictures

LARGE = default_path("dataset", "photos", "large")
CREDITS = large_credits()
FREE = r"public domain|CC0 1\.0"
SHARED = r"CC BY(-SA)? [234]\.0"

# The same object, place or series in several photographs: no network may be tested on what it
# has seen in another of them.
TOGETHER = [
    {"monument_colosseum", "roman_colosseum"},
    {"monument_palaisdes_papes", "scene_castle"},
    {"monument_bent_pyramid", "monument_meidum_pyramid", "monument_great_pyramid_of_giza"},
    {"monument_aula_palatina", "monument_trier_imperial_baths"},
    {"monument_canyonde_chelly", "monument_navajo"},
    {"animal_giraffe", "wildlife_giraffe"},
    {"animal_red_panda", "wildlife_lemur"},
    {"underwater_sea1", "underwater_sea2"},
    {"meadow_flower", "pond_frog"},
    {"arch_building_exterior", "arch_angular_roof"},
    {"sunning_anhinga", "pondering_heron"},
    {"scene_city_with_water", "scene_city_with_water2"},
    {"scene_train_tracks1", "scene_train_tracks2"},
    {"cat_face_day", "cat_jasmina", "cat_maine_coon", "cat_tortoiseshell"},
]


def thumbnail(picture: Image.Image) -> np.ndarray:
    """16 x 16 pixels: what a photograph keeps in another size, another file, another quality."""
    return np.asarray(picture.resize((16, 16), Image.Resampling.BOX)).astype(float)


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two thumbnails are of one photograph, mirrored or not."""
    return min(np.abs(one - other).mean(), np.abs(one - other[:, ::-1]).mean()) < 10


def test_every_photograph_has_one_credit_and_every_credit_a_photograph():
    names = [row["file"] for row in CREDITS]
    assert sorted(names) == list_pictures(LARGE)
    for row in CREDITS:
        for column in ("title", "author", "licence", "source", "source file", "evidence"):
            assert row[column].strip(), (row["file"], column)


def test_every_licence_lets_the_photograph_be_shared():
    for row in CREDITS:
        assert re.fullmatch(f"{FREE}|{SHARED}", row["licence"]), row["file"]


def test_what_is_measured_on_and_shown_is_free_of_conditions():
    held_out = [row for row in CREDITS if row["split"] != "train"]
    for row in held_out:
        assert re.fullmatch(FREE, row["licence"]), row["file"]
    assert {row["split"] for row in held_out} == {"val", "test"}


@pytest.mark.parametrize(("split", "least"), [("train", 150), ("val", 15), ("test", 25)])
def test_each_split_has_enough_photographs_none_twice(split, least):
    names = [source.name for source in large_sources(split)]
    assert len(set(names)) == len(names) >= least


def test_every_photograph_is_rgb_and_small_enough_to_come_with_a_repository():
    for name in list_pictures(LARGE):
        with Image.open(LARGE / name) as picture:
            assert picture.mode == "RGB", name
            assert 128 < min(picture.size) <= max(picture.size) <= 640, name
            picture.load()
    assert sum((LARGE / name).stat().st_size for name in list_pictures(LARGE)) < 16e6


def test_training_on_the_large_set_sees_nothing_that_either_set_is_tested_on():
    """Compared by content: under another name, in another size, mirrored, it would be found."""
    trained_on = {s.name: thumbnail(s.read()) for s in large_sources("train")}
    held_out = {
        split: {s.name: thumbnail(s.read()) for s in sources}
        for split, sources in {
            "val": large_sources("val") + [tutorial_source(name) for name in VAL],
            "test": large_sources("test") + [tutorial_source(name) for name in TEST],
        }.items()
    }
    assert trained_on.keys() > {*TRAIN, *TEXTURES}
    for one, other in (
        (trained_on, held_out["val"]),
        (trained_on, held_out["test"]),
        (held_out["val"], held_out["test"]),
    ):
        assert not one.keys() & other.keys()
        found = [(a, b) for a in one for b in other if alike(one[a], other[b])]
        assert not found


def test_a_copy_would_be_found():
    for source in large_sources("val")[:6]:
        picture = source.read()
        copy = ImageOps.mirror(picture.resize((300, 200), Image.Resampling.LANCZOS))
        file = BytesIO()
        copy.save(file, "JPEG", quality=40)
        assert alike(thumbnail(picture), thumbnail(Image.open(file)))


@pytest.mark.parametrize("subject", TOGETHER, ids=lambda names: min(names))
def test_a_subject_that_occurs_twice_stays_on_one_side(subject):
    split = {row["file"].removesuffix(".jpg"): row["split"] for row in CREDITS}
    assert len({split[name] for name in subject}) == 1
