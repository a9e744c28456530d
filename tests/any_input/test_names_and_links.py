"""What must simply work: large folders, links, any name, any locale."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from factories import BOX, completing, contents, one_thread, program, save_picture, training
from PIL import Image

from inpaint_lib import ImageCompletionDataset
from inpaint_lib.pictures import list_pictures, read_picture


def test_a_folder_of_100_000_files_is_listed_in_seconds(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(100_000):
        os.close(os.open(folder / f"{i}.png", os.O_CREAT | os.O_WRONLY))
    start = time.perf_counter()
    names = list_pictures(folder)
    pairs = ImageCompletionDataset(folder, folder)  # each is its own original
    assert time.perf_counter() - start < 10
    assert len(names) == len(pairs) == 100_000


@pytest.fixture
def link(tmp_path):
    """Make a link to a file or folder; a test that needs it is skipped where there are none."""

    def make(target: Path, name: Path) -> Path:
        try:
            name.symlink_to(target, target_is_directory=target.is_dir())
        except (OSError, NotImplementedError):
            pytest.skip("no symbolic links on this system")
        return name

    return make


def test_training_follows_symbolic_links(command, pairs, tmp_path, link):
    linked = tmp_path / "linked"
    (linked / "occluded_images").mkdir(parents=True)
    for path in (pairs / "occluded_images").iterdir():
        link(path, linked / "occluded_images" / path.name)
    link(pairs / "original_images", linked / "original_images")
    (tmp_path / "elsewhere").mkdir()
    save_dir = link(tmp_path / "elsewhere", tmp_path / "run")
    assert command(*training(linked, save_dir)) == (0, [])
    assert command(*training(linked, save_dir, "--resume", epochs=2)) == (0, [])
    assert save_dir.is_symlink()
    assert (tmp_path / "elsewhere" / "model_epoch2.pth").is_file()


def test_a_linked_photograph_is_completed_beside_the_link(command, photo, network, tmp_path, link):
    (tmp_path / "links").mkdir()
    linked = link(photo, tmp_path / "links" / "linked.png")
    before = contents(photo.parent)
    assert command(*completing(linked, link(network, tmp_path / "links" / "link.pth"))) == (0, [])
    done = read_picture(tmp_path / "links" / "linked_completed.png")
    assert done.size == (30, 20)
    assert linked.is_symlink()
    assert contents(photo.parent) == before


def test_a_link_that_leads_nowhere_is_named(refused, pairs, tmp_path, link):
    (pairs / "original_images" / "2.png").unlink()
    link(pairs / "gone.png", pairs / "original_images" / "2.png")
    line = refused(*training(pairs, tmp_path / "run"))
    assert str(pairs / "original_images" / "2.png") in line


NAMES = [
    "two words",
    "größe 写真 é",
    "[a]*?{b,c}!~$x",
    "%s %d {0}",
    'it\'s "quoted"',
    "#1; & | > <",
    "-dash",
    "a.b.c",
    ".".join("x" * 40 for _ in range(4)),
]


@pytest.fixture(params=NAMES)
def name(request, tmp_path) -> str:
    try:
        (tmp_path / request.param).mkdir()
    except OSError:
        pytest.skip("not a name on this system")
    return request.param


def test_any_name_is_trained_with_and_resumed(command, pairs, tmp_path, name):
    for prefix, kind in (("occluded_", "occluded_images"), ("", "original_images")):
        (pairs / kind / f"{prefix}2.png").rename(pairs / kind / f"{prefix}{name}.png")
    pairs = pairs.rename(tmp_path / name / "pairs")
    save_dir = tmp_path / name / "run"
    assert command(*training(pairs, save_dir)) == (0, [])
    assert command(*training(pairs, save_dir, "--resume", epochs=2)) == (0, [])
    assert {p.name for p in save_dir.glob("*.pth")} == {
        "model_epoch1.pth",
        "model_epoch2.pth",
        "state.pth",
    }


def test_any_name_is_completed(command, photo, network, tmp_path, name):
    photo = photo.rename(tmp_path / name / f"{name}.png")
    (tmp_path / name / "masks").mkdir()
    mask = Image.new("L", (30, 20))
    mask.paste(255, (20, 10, 25, 15))
    mask.save(tmp_path / name / "masks" / f"{name}.png")
    masks = "--mask", tmp_path / name / "masks"
    assert command(*completing(photo, network, *BOX, *masks)) == (0, [])
    assert read_picture(tmp_path / name / f"{name}_completed.png").size == (30, 20)


def test_any_name_is_prepared(command, tmp_path, name):
    for seed in range(3):
        save_picture(tmp_path / name / f"{name}{seed}.png", (140, 130), seed)
    out = tmp_path / "pairs" / name
    few = "--train-pairs=1", "--per-bucket=1"
    assert command("prepare", "--photos", tmp_path / name, "--out", out, *few) == (0, [])
    for split in ("train", "val", "test"):
        manifest = (out / split / "manifest.csv").read_text(encoding="utf-8")
        made = list_pictures(out / split / "original_images")
        assert len(made) == (1 if split == "train" else 4)
        assert all(name in made_name for made_name in made)
        assert manifest.count("\n") == 1 + len(made)


@pytest.mark.skipif(os.name == "nt", reason="not a name on this system")
def test_an_error_about_a_name_with_a_line_break_is_one_line(refused, photo, network):
    for bad in ("a\nb.png", "a\rb.png"):
        assert refused(*completing(photo.with_name(bad), network)).endswith("no such file")


LOCALES = {
    "C": {"LC_ALL": "C"},
    "C, latin-1": {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}


def in_a_locale(folder: Path, locale: str, commands: str) -> tuple[dict[str, str], str, str]:
    """Exit codes by command, and what they wrote, as bytes read as latin-1."""
    ours = ("LC_", "LANG", "PYTHON")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        program("in_a_locale", commands),
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=180,
        env=one_thread(environment) | LOCALES[locale],
    )
    shown, errors = done.stdout.decode("latin-1"), done.stderr.decode("latin-1")
    lines = [line.split(": ", 1) for line in shown.splitlines()]
    codes = dict(line for line in lines if len(line) == 2 and line[0] in commands.split())
    assert done.returncode == 0, errors
    return codes, shown, errors


@pytest.mark.skipif(os.name == "nt", reason="locales of POSIX")
@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("C", "größe 写真".encode()),
        ("C, latin-1", "größe 写真".encode()),
        ("UTF-8", "größe".encode("latin-1")),
    ],
    ids=["C", "C-latin-1", "name-not-in-UTF-8"],
)
def test_names_that_the_locale_cannot_show_work_all_the_same(pairs, tmp_path, locale, name):
    (tmp_path / "photos").mkdir()
    (tmp_path / "own").mkdir()
    name = os.fsdecode(name)
    try:
        save_picture(tmp_path / "photos" / f"{name}.png")
    except OSError:
        pytest.skip("not a name on this system")
    for seed in range(3):
        save_picture(tmp_path / "own" / f"{name}{seed}.png", (140, 130), seed)
    for prefix, kind in (("occluded_", "occluded_images"), ("", "original_images")):
        (pairs / kind / f"{prefix}2.png").rename(pairs / kind / f"{prefix}{name}.png")
    pairs.rename(tmp_path / "whole")
    (tmp_path / "pairs").mkdir()
    (tmp_path / "whole").rename(tmp_path / "pairs" / name)

    codes, shown, errors = in_a_locale(tmp_path, locale, "train resume complete prepare error help")
    wanted = dict.fromkeys(["train", "resume", "complete", "prepare", "help"], "0")
    assert codes == wanted | {"error": "1"}, errors[-3000:]
    assert "Traceback" not in errors
    assert errors.count("error: ") == 1
    assert "occluded" in shown.lower()
    assert (tmp_path / "photos" / f"{name}_completed.png").is_file()
    assert (tmp_path / f"run {name}" / "model_epoch2.pth").is_file()
    made = list_pictures(tmp_path / "out" / "test" / "original_images")
    assert len(made) == 4
    assert all(name in made_name for made_name in made)
