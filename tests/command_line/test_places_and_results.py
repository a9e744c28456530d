"""Folders, patterns, places for results; and results that are never taken for photographs."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from factories import BOX, contents, save_picture
from PIL import Image

from inpaint_lib.pictures import read_picture
from inpaint_lib.results import photographs_in, results_among, save_png
from inpaint_lib.widgets import CompletionStudio

pytestmark = pytest.mark.filterwarnings("ignore:.*left out")  # asserted where it matters


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """A folder of two photographs, which is the working directory."""
    for seed, name in enumerate(["a.png", "b.jpg"]):
        save_picture(tmp_path / "photos" / name, seed=seed)
    monkeypatch.chdir(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def complete(inpaint, network, capsys):
    """Complete a box; returns the exit code, the results' paths and the lines of errors."""

    def run_it(*arguments) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        code = inpaint("complete", *arguments, "--checkpoint", network, *BOX)
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err.splitlines()

    return run_it


@pytest.mark.parametrize("out", ["done/", "new/done/", "results_v1.0/"])
def test_a_slash_makes_a_folder_for_one_photograph_too(complete, photos, out):
    assert complete("a.png", "--out", out)[:2] == (0, [str(Path(out, "a_completed.png"))])


def test_a_folder_may_have_a_dot_in_its_name(complete, photos):
    Path("results_v1.0").mkdir()
    assert complete("a.png", "b.jpg", "--out", "results_v1.0")[0] == 0
    assert complete("a.png", "b.jpg", "--out", "results_v2.0")[0] == 0
    assert sorted(os.listdir("results_v2.0")) == ["a_completed.png", "b_completed.png"]


@pytest.mark.parametrize(
    ("out", "remedy"),
    [
        ("nowhere/x.png", "make its folder"),
        ("a.png/x.png", "a file"),
        ("results.jpg", "results.png"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_the_work_with_a_remedy_that_fits(
    complete, photos, monkeypatch, out, remedy
):
    monkeypatch.setattr("inpaint_lib.photographs.fitting.fit", lambda *a: pytest.fail("worked"))
    before = contents(photos)
    code, _, [line] = complete("a.png", "--fit", 60, "--out", out)
    assert code == 1
    assert remedy in line
    assert "free some space" not in line
    assert contents(photos) == before


def test_a_result_that_is_there_is_told_before_the_work_on_others(complete, photos, monkeypatch):
    assert complete("a.png")[0] == 0
    code, shown, errors = complete("a.png", "b.jpg")
    assert (code, shown) == (1, ["b_completed.png"])
    assert "--overwrite" in errors[0]


def test_folders_and_patterns_that_the_shell_left_are_photographs(complete, photos, tmp_path):
    save_picture(tmp_path / "more" / "c.png")
    results = ["a_completed.png", "b_completed.png", "c_completed.png"]
    assert complete(photos, tmp_path / "more", "--out", "one")[0] == 0
    assert sorted(os.listdir("one")) == results
    assert complete("*.png", str(photos / "?.jpg"), tmp_path / "more" / "*", "--out", "two")[0] == 0
    assert sorted(os.listdir("two")) == results
    code, shown, [line] = complete("*.webp")
    assert (code, shown) == (1, [])
    assert "*.webp" in line


def test_a_photograph_that_is_given_twice_is_completed_once(complete, photos):
    code, shown, errors = complete("a.png", "./a.png", photos / "a.png", ".")
    assert (code, errors) == (0, [])
    assert len(shown) == 2


@pytest.mark.parametrize("masks", ["hole.png", "masks"])
def test_masks_among_the_photographs_are_not_completed(inpaint, photos, network, masks):
    hole = np.zeros((20, 30), np.uint8)
    hole[4:9, 4:9] = 255
    names = ["hole.png"] if masks == "hole.png" else ["masks/a.png", "masks/b.png"]
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(hole).save(name)
    everything = sorted(os.listdir())
    assert inpaint("complete", *everything, "--checkpoint", network, "--mask", masks) == 0
    found = sorted(p.name for p in photos.rglob("*_completed.png"))
    assert found == ["a_completed.png", "b_completed.png"]


def test_a_photograph_is_not_its_own_mask(inpaint, photos, network, capsys):
    assert inpaint("complete", "a.png", "--checkpoint", network, "--mask", ".") == 1
    assert "is the photograph itself" in capsys.readouterr().err


def test_results_beside_the_photographs_are_not_completed_again(complete, photos):
    assert complete(*sorted(os.listdir()))[0] == 0
    before = contents(photos)
    for given in (sorted(os.listdir()), ["."]):
        code, _, [line] = complete(*given, "--overwrite")
        assert code == 0
        assert line.startswith("warning: ")
        assert "2 left out" in line
        assert contents(photos).keys() == before.keys()


def test_a_result_that_alone_is_given_is_completed_again(complete, photos):
    assert complete("a.png")[0] == 0
    assert complete("a_completed.png")[:2] == (0, ["a_completed_completed.png"])


def test_a_result_is_known_by_its_mark_whatever_its_name(photos):
    studio = CompletionStudio("a.png")
    studio.canvas.shapes = [{"box": [4, 5, 6, 7]}]
    studio.save.click()
    save_png(read_picture("b.jpg"), "best of 2023.png")
    assert photographs_in(".") == ["a.png", "b.jpg"]
    save_picture(photos / "b_completed.png")  # without a mark, as an older version left it
    save_picture(photos / "jigsaw_completed.png")  # a photograph of this name
    assert photographs_in(".") == ["a.png", "b.jpg", "jigsaw_completed.png"]
    assert results_among([Path("completed.png"), Path("a.png")]) == [Path("completed.png")]


def test_a_folder_of_results_alone_is_told(photos):
    save_png(read_picture("a.png"), photos.parent / "x.png")
    with pytest.raises(ValueError, match="nothing but results"):
        photographs_in(photos.parent)


def test_no_completion_of_a_held_out_photograph_is_trained_on(inpaint, tmp_path, network):
    for seed in range(6):
        save_picture(tmp_path / "own" / f"p{seed}.png", (140, 130), seed)
    photos = sorted((tmp_path / "own").iterdir())
    assert inpaint("complete", *photos, "--checkpoint", network, *BOX) == 0
    few = "--train-pairs=6", "--per-bucket=1"
    assert inpaint("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "p", *few) == 0
    photographs = {}
    for split in ("train", "val", "test"):
        with open(tmp_path / "p" / split / "manifest.csv", encoding="utf-8") as file:
            photographs[split] = {row["photograph"] for row in csv.DictReader(file)}
    assert sum(map(len, photographs.values())) == 6
    assert set().union(*photographs.values()) == {f"p{seed}.png" for seed in range(6)}


def test_several_folders_are_prepared_together(inpaint, tmp_path):
    for folder in ("100APPLE", "101APPLE"):
        for seed in range(2):
            save_picture(tmp_path / folder / f"IMG_{seed}.png", (140, 130), seed)
    folders = tmp_path / "100APPLE", tmp_path / "101APPLE"
    few = "--train-pairs=2", "--per-bucket=1"
    assert inpaint("prepare", "--photos", *folders, "--out", tmp_path / "p", *few) == 0
    seen = set()
    for split in ("train", "val", "test"):
        with open(tmp_path / "p" / split / "manifest.csv", encoding="utf-8") as file:
            seen |= {row["photograph"] for row in csv.DictReader(file)}
    assert seen == {f"{f.name}/IMG_{seed}.png" for f in folders for seed in range(2)}
