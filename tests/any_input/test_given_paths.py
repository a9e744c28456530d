"""What people type, paste and drop as a path, and names that look alike."""

import os
import unicodedata
from pathlib import Path

import pytest
from factories import BOX, completing, config_for, save_picture, training

from inpaint_lib import ImageCompletionDataset, TrainConfig, complete, load_model
from inpaint_lib.paths import given_path, matching, why_missing, written_whole
from inpaint_lib.pictures import read_picture
from inpaint_lib.widgets import CompletionStudio
from inpaint_lib.widgets.studio.session import free_name

COMPOSED = unicodedata.normalize("NFC", "größe é")
APART = unicodedata.normalize("NFD", COMPOSED)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home folder, and an empty working directory elsewhere."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    "typed",
    [
        "{}",
        '"{}"',
        "'{}'",
        "“{}”",
        " {} ",
        '"{}"\n',
        " '{}'",
        "file://{}",
        "file://localhost{}",
        "FILE://{}",
        '"file://{}"',
    ],
)
def test_what_is_pasted_around_a_path_is_taken_away(tmp_path, typed):
    path = save_picture(tmp_path / "my photo #1?.png")
    told = path.as_uri().removeprefix("file://") if "file" in typed.lower() else str(path)
    assert given_path(typed.format(told)) == path


def test_the_tilde_is_the_home_folder_everywhere(home, pairs, network):
    photo = save_picture(home / "p.png")
    model = load_model(network, "cpu")
    mask = [[1] + [0] * 29] + 19 * [30 * [0]]
    assert complete(model, "~/p.png", mask).size == (30, 20)
    assert CompletionStudio("~/p.png").photo.size == (30, 20)
    assert free_name("~/") == home / "completed.png"
    assert TrainConfig(save_dir="~/runs").save_dir == home / "runs"
    (home / "pairs").symlink_to(pairs)
    data = ImageCompletionDataset("~/pairs/occluded_images", "~/pairs/original_images")
    assert len(data) == 6
    with written_whole("~/new.txt") as partial:
        partial.write_text("x")
    assert (home / "new.txt").read_text() == "x"
    assert os.listdir() == []
    assert photo.is_file()


def test_the_tilde_behind_an_option_is_the_home_folder(command, home, pairs, network, photo):
    assert command(*completing(photo, network, *BOX, "--out=~/done/")) == (0, [])
    assert (home / "done" / "photo_completed.png").is_file()
    assert command(*training(pairs, "~/run")) == (0, [])
    assert (home / "run" / "state.pth").is_file()
    assert os.listdir() == []


def test_the_studio_opens_what_is_copied_as_a_path(tmp_path):
    path = save_picture(tmp_path / "my photo.png")
    studio = CompletionStudio(save_picture(tmp_path / "other.png", (40, 20)))
    for typed in (f'"{path}"', f"'{path}'", path.as_uri()):
        studio.path.value = typed
        assert studio.photo.size == (30, 20), typed
        studio.path.value = str(tmp_path / "other.png")
        assert studio.photo.size == (40, 20)


@pytest.mark.parametrize("name", ["'quoted'.png", '"a".png', "file:x.png", " blank.png", "~.png"])
def test_a_name_that_is_there_as_it_stands_is_taken_as_it_stands(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    try:
        Path(name).touch()
    except OSError:
        pytest.skip("not a name on this system")
    assert given_path(name) == Path(name)


@pytest.mark.parametrize(("on_disk", "typed"), [(APART, COMPOSED), (COMPOSED, APART)])
def test_an_accent_may_be_written_as_one_character_or_as_two(tmp_path, on_disk, typed):
    path = save_picture(tmp_path / on_disk / f"{on_disk}.png")
    assert given_path(tmp_path / typed / f"{typed}.png").samefile(path)


def test_pairs_whose_names_differ_in_accents_or_case_alone_belong_together(pairs):
    (pairs / "original_images" / "0.png").rename(pairs / "original_images" / f"{APART}.png")
    (pairs / "masks" / "0.png").rename(pairs / "masks" / f"{APART}.PNG")
    occluded = pairs / "occluded_images"
    (occluded / "occluded_0.png").rename(occluded / f"occluded_{COMPOSED}.png")
    (pairs / "original_images" / "1.png").rename(pairs / "original_images" / "1.PNG")
    (pairs / "masks" / "1.png").rename(pairs / "masks" / "1.PNG")
    data = ImageCompletionDataset(occluded, pairs / "original_images", mask_dir=pairs / "masks")
    assert len(data) == 6
    for item in data:
        assert ((item.occluded != item.original).any(dim=0) <= (item.mask[0] > 0)).all()


def test_of_names_that_differ_in_case_each_finds_its_own_and_none_is_guessed():
    assert matching(["a.png", "A.png"], ["A.png", "a.png"]) == {"a.png": "a.png", "A.png": "A.png"}
    assert matching(["É.png"], ["é.png", "E\u0301.png"]) == {}  # either could be meant
    assert matching(["a.png"], ["b.png"]) == {}


def test_a_missing_file_is_told_with_what_is_there_instead(tmp_path, refused, network):
    save_picture(tmp_path / "IMG_1.JPG")
    (tmp_path / ".IMG_2.jpg.icloud").touch()
    assert why_missing(tmp_path / "img_1.jpg").endswith("there is IMG_1.JPG")
    assert why_missing(tmp_path / "IMG_1.png").endswith("there is IMG_1.JPG")
    assert "iCloud" in why_missing(tmp_path / "IMG_2.jpg")
    assert "download" in why_missing("https://example.org/a.jpg")
    assert str(tmp_path / "nowhere") in why_missing(tmp_path / "nowhere" / "a.jpg")
    assert why_missing(tmp_path / "other.png") == "no such file"
    assert "IMG_1.JPG" in refused(*completing(tmp_path / "img_1.png", network))


def test_a_folder_of_a_mac_or_of_windows_holds_its_pictures_alone(command, tmp_path, network):
    folder = tmp_path / "holiday.2023"
    save_picture(folder / "a.jpg")
    left = ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".b.jpg.icloud"]
    for name in left:
        (folder / name).write_bytes(b"\0\5\x16\7")
    everything = sorted(folder.iterdir())
    assert command("complete", *everything, "--checkpoint", network, *BOX) == (0, [])
    assert read_picture(folder / "a_completed.png").size == (30, 20)


def test_the_longest_name_that_a_system_has_is_written_and_prepared(command, tmp_path):
    path = tmp_path / ("x" * 251 + ".txt")
    try:
        with written_whole(path) as partial:
            partial.write_text("whole")
    except OSError:
        pytest.skip("not a name on this system")
    assert path.read_text() == "whole"
    for seed in range(3):
        save_picture(tmp_path / "own" / ("ö" * 120 + f"{seed}.png"), (140, 130), seed)
    few = "--train-pairs=1", "--per-bucket=1"
    assert command("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "p", *few)[0] == 0


def test_a_result_whose_name_would_be_too_long_is_told_before_the_work(refused, tmp_path, network):
    photo = save_picture(tmp_path / ("x" * 245 + ".png"))
    line = refused(*completing(photo, network, *BOX, "--fit", 600))
    assert "shorter name" in line


def test_an_empty_path_is_not_the_working_directory(command, photo, network, monkeypatch):
    monkeypatch.chdir(photo.parent)
    with pytest.raises(SystemExit):
        command(*completing("", network))
    assert os.listdir() == [photo.name]


def test_a_configuration_keeps_paths_as_they_were_meant(tmp_path, pairs):
    config = config_for(pairs, f'"{tmp_path}/run"')
    assert config.save_dir == tmp_path / "run"
