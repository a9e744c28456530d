"""`python -m inpaint_lib`: commands, exit codes, one-line errors."""

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from factories import save_picture, training
from PIL import Image

from inpaint_lib import __main__ as command_line
from inpaint_lib import complete as complete_one
from inpaint_lib import paths, prepare
from inpaint_lib.checkpoints import load_model
from inpaint_lib.photographs import evaluation
from inpaint_lib.photographs.pairs import held_out_pairs
from inpaint_lib.photographs.prepare import ensure_prepared, write_pairs
from inpaint_lib.photographs.recipes import LARGE, PRESET, preset
from inpaint_lib.photographs.sources import Source
from inpaint_lib.pictures import read_picture
from inpaint_lib.training import TrainConfig


def test_help_names_the_commands():
    shown = subprocess.run(
        [sys.executable, "-m", "inpaint_lib", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("prepare", "train", "evaluate", "complete", "demo", "rebuild"):
        assert command in shown


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("prepare", ["--photos", "--flowers102", "--out", "--train-pairs", "--per-bucket"]),
        ("train", ["--occluded-dir", "--save-dir", "--epochs", "--lr", "--resume", "--overwrite"]),
        ("train", ["--preset", "--large", "--data", "--size", "--val", "torchrun", "sqrt(k)"]),
        ("evaluate", ["--checkpoint", "--world", "--split", "--photos", "--seed", "--out", "val"]),
        ("complete", ["PATH", "--box", "--mask", "--checkpoint", "--out", "--overwrite", "PNG"]),
        ("demo", ["brick wall", "minutes"]),
        ("rebuild", ["photographs", "bricks", "same command goes on"]),
    ],
)
def test_every_command_explains_itself(inpaint, capsys, command, words):
    with pytest.raises(SystemExit) as stop:
        inpaint(command, "--help")
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for word in words:
        assert word in shown


def test_train_trains(inpaint, pairs, tmp_path):
    assert inpaint(*training(pairs, tmp_path / "run")) == 0
    assert (tmp_path / "run" / "model_epoch1.pth").is_file()


def asked(inpaint, monkeypatch, *arguments) -> TrainConfig:
    """The configuration that a command line means."""
    seen = []
    monkeypatch.setattr(command_line, "Trainer", lambda config: seen.append(config) or Mock(rank=1))
    monkeypatch.setattr(command_line, "run", lambda trainer, *tell: None)
    assert inpaint("train", *arguments) == 0
    return seen[0]


@pytest.mark.parametrize(("flag", "recipe"), [("--preset", PRESET), ("--large", LARGE)])
def test_the_preset_gives_the_options_their_defaults(inpaint, monkeypatch, tmp_path, flag, recipe):
    for i in range(30):
        save_picture(tmp_path / f"{i}.png")
    config = asked(inpaint, monkeypatch, flag, "--data", tmp_path, "--lr", 3e-4)
    chosen = {"data_dir": tmp_path, "lr": 3e-4, "held_out": 3}
    assert {name: getattr(config, name) for name in recipe | chosen} == recipe | chosen
    assert asked(inpaint, monkeypatch, flag, "--data", tmp_path, "--size", 40).crop_size == 40
    assert config.val_dir is config.val_occluded_dir is None


def test_the_preset_without_a_folder_trains_on_the_tutorials_photographs(inpaint, monkeypatch):
    ensure_prepared("photographs")
    config = asked(inpaint, monkeypatch, "--preset")
    made = preset(paths.default_path("dataset"), config.save_dir)
    assert config == made


def test_a_folder_of_pictures_needs_no_other_option(inpaint, monkeypatch, tmp_path):
    for i in range(2):
        save_picture(tmp_path / f"{i}.png")
    config = asked(inpaint, monkeypatch, "--data", tmp_path)
    assert (config.data_dir, config.crop_size, config.held_out) == (tmp_path, 128, 1)
    assert config.norm == "batch"


def test_val_is_a_folder_of_pairs_or_of_pictures(inpaint, monkeypatch, pairs, tmp_path):
    pictures = pairs / "original_images"
    config = asked(inpaint, monkeypatch, "--preset", "--data", pictures, "--val", pairs)
    assert (config.val_occluded_dir, config.val_dir) == (pairs / "occluded_images", None)
    assert (config.val_mask_dir, config.held_out) == (pairs / "masks", 0)
    config = asked(inpaint, monkeypatch, "--preset", "--data", pictures, "--val", pictures)
    assert (config.val_occluded_dir, config.val_dir, config.held_out) == (None, pictures, 0)


def test_a_folder_of_pictures_is_trained_and_validated_on(inpaint, pairs, tmp_path, capsys):
    small = ("--epochs=1", "--hidden-channels=4", "--num-layers=1", "--device=cpu")
    pictures = pairs / "original_images"
    options = ("--preset", "--data", pictures, "--size=20", *small)
    assert inpaint("train", *options, f"--save-dir={tmp_path / 'run'}") == 0
    assert "5 pictures are kept in the memory of cpu" in capsys.readouterr().out
    log = (tmp_path / "run" / "training_log.txt").read_text().splitlines()
    assert float(log[1].split("\t")[8]) > 0
    with pytest.raises(SystemExit):
        inpaint("train", "--data")


def test_train_without_arguments_is_the_originals_script(inpaint, monkeypatch):
    seen = []
    monkeypatch.setattr(command_line, "Trainer", lambda config: seen.append(config) or Mock(rank=1))
    monkeypatch.setattr(command_line, "run", lambda trainer: None)
    inpaint("train")
    (config,) = seen
    assert config == command_line.TrainConfig()
    assert config.occluded_dir.as_posix().endswith("/dataset/train/occluded_images")
    assert (config.epochs, config.batch_size, config.lr, config.hidden_channels) == (
        200,
        4,
        1e-4,
        48,
    )


def test_an_error_is_one_line_and_exit_code_1(inpaint, capsys, tmp_path):
    assert inpaint("train", f"--occluded-dir={tmp_path / 'nowhere'}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "nowhere" in error


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(inpaint, monkeypatch, capsys, pairs, tmp_path):
    def interrupted(trainer):
        for step in trainer.steps():
            if step.step == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run", interrupted)
    code = inpaint(*training(pairs, tmp_path / "run", epochs=2, batch_size=2))
    assert code == 130
    assert "--resume goes on" in capsys.readouterr().out


def test_prepare_tells_how_many_pairs_went_where(inpaint, monkeypatch, capsys, tmp_path):
    def few(seed: int = 0) -> dict[str, int]:
        return prepare(out=tmp_path, train_pairs=15, per_bucket=1, seed=seed)

    monkeypatch.setattr(command_line, "prepare", few)
    assert inpaint("prepare") == 0
    shown = capsys.readouterr().out
    assert f"pairs in {tmp_path / 'bricks' / 'test'}" in shown


@pytest.mark.parametrize("arguments", [["paint"], ["train", "--epochs=many"]])
def test_a_command_that_is_not_understood_exits_with_2(inpaint, arguments):
    with pytest.raises(SystemExit) as stop:
        inpaint(*arguments)
    assert stop.value.code == 2


# Completing photographs


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    """Three photographs of 30 x 20, of three formats."""
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / name for name in ("one.png", "two.jpg", "three.bmp")]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture
def complete(inpaint, capsys, network):
    """Run `complete` with a tiny network; returns its exit code, what it showed, and errors."""

    def run_it(*arguments) -> tuple[int, list[str], list[str]]:
        code = inpaint("complete", *arguments, "--checkpoint", network)
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err.splitlines()

    return run_it


def boxes(*given: tuple[int, int, int, int]) -> tuple[list, np.ndarray]:
    """Options, and the hole they describe in a photograph of 30 x 20."""
    hole = np.zeros((20, 30), dtype=bool)
    for x, y, w, h in given:
        hole[y : y + h, x : x + w] = True
    return [a for box in given for a in ("--box", *box)], hole


def save_mask(path: Path, hole: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(hole.astype(np.uint8) * 255).save(path)
    return path


def is_completed(result: Path, photo: Path, network: Path, hole: np.ndarray) -> bool:
    expected = complete_one(load_model(network, "cpu"), photo, hole)
    with Image.open(result) as image:
        return image.format == "PNG" and image.mode == "RGB" and np.array_equal(image, expected)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


ONE_BOX, ONE_HOLE = boxes((4, 5, 6, 7))


def test_a_box_is_filled_and_the_result_lies_beside_the_photograph(complete, photos, network):
    before = photos[1].read_bytes()
    result = photos[1].with_name("two_completed.png")
    assert complete(photos[1], *ONE_BOX) == (0, [str(result)], [])
    assert is_completed(result, photos[1], network, ONE_HOLE)
    picture = np.asarray(read_picture(photos[1]))
    assert np.array_equal(np.asarray(Image.open(result))[~ONE_HOLE], picture[~ONE_HOLE])
    assert photos[1].read_bytes() == before


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (29, 19, 1, 1), (0, 0, 30, 19), (20, 0, 10, 20)])
def test_a_box_may_reach_every_border(complete, photos, network, box):
    options, hole = boxes(box)
    assert complete(photos[0], *options)[0] == 0
    assert is_completed(photos[0].with_name("one_completed.png"), photos[0], network, hole)


def test_boxes_may_be_given_several_times_and_join_a_mask(complete, photos, network):
    options, hole = boxes((1, 2, 3, 4), (20, 10, 5, 6), (3, 3, 4, 2))
    assert complete(photos[0], *options)[0] == 0
    assert is_completed(photos[0].with_name("one_completed.png"), photos[0], network, hole)
    painted = np.zeros((20, 30), dtype=bool)
    painted[15:18, 2:9] = True
    mask = save_mask(photos[0].parent / "mask.png", painted)
    assert complete(photos[0], *options, "--mask", mask, "--overwrite")[0] == 0
    result = photos[0].with_name("one_completed.png")
    assert is_completed(result, photos[0], network, hole | painted)


def test_a_mask_alone_is_enough(complete, photos, network):
    mask = save_mask(photos[0].parent / "mask.png", ONE_HOLE)
    assert complete(photos[0], "--mask", mask)[0] == 0
    assert is_completed(photos[0].with_name("one_completed.png"), photos[0], network, ONE_HOLE)


def test_boxes_refer_to_the_upright_photograph(complete, photos, network):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored 20 wide and 30 high, shown 30 x 20
    turned = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(turned).save(photos[0], exif=exif)
    options, hole = boxes((24, 3, 6, 7))
    assert complete(photos[0], *options)[0] == 0
    assert is_completed(photos[0].with_name("one_completed.png"), photos[0], network, hole)


def test_an_empty_mask_gives_the_picture_itself(complete, photos):
    mask = save_mask(photos[0].parent / "mask.png", np.zeros((20, 30)))
    assert complete(photos[0], "--mask", mask)[0] == 0
    result = Image.open(photos[0].with_name("one_completed.png"))
    assert np.array_equal(result, read_picture(photos[0]))


@pytest.mark.parametrize("kind", ["box", "boxes", "mask"])
def test_a_hole_over_the_whole_picture_is_an_error(complete, photos, kind):
    before = names(photos[0].parent)
    if kind == "mask":
        save_mask(photos[0].parent.parent / "all.png", np.ones((20, 30)))
    options = {
        "box": boxes((0, 0, 30, 20))[0],
        "boxes": boxes((0, 0, 30, 10), (0, 10, 30, 10))[0],
        "mask": ["--mask", photos[0].parent.parent / "all.png"],
    }[kind]
    code, shown, [error] = complete(photos[0], *options)
    assert (code, shown) == (1, [])
    assert "whole picture" in error or "all hole" in error
    assert names(photos[0].parent) == before


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((25, 5, 6, 7), "reaches beyond"),
        ((4, 15, 6, 7), "reaches beyond"),
        ((30, 20, 1, 1), "reaches beyond"),
        ((-1, 5, 6, 7), "X, Y >= 0"),
        ((4, -5, 6, 7), "X, Y >= 0"),
        ((4, 5, 0, 7), "W, H >= 1"),
        ((4, 5, 6, -7), "W, H >= 1"),
    ],
)
def test_a_box_that_does_not_fit_is_told_and_nothing_is_written(complete, photos, box, words):
    before = names(photos[0].parent)
    code, shown, [error] = complete(photos[0], *ONE_BOX, "--box", *box)
    assert (code, shown) == (1, [])
    assert error.startswith(f"error: --box {' '.join(map(str, box))}: ")
    assert words in error
    if words == "reaches beyond":
        assert f"{photos[0]}, which is 30 x 20 pixels" in error
    assert names(photos[0].parent) == before


def test_without_a_hole_the_two_ways_to_give_one_are_told(complete, photos):
    code, _, [error] = complete(photos[0])
    assert code == 1
    assert "--box X Y W H" in error
    assert "--mask FILE" in error


def test_without_a_photograph_it_is_told_how_to_give_one(complete):
    code, _, [error] = complete(*ONE_BOX)
    assert code == 1
    assert "complete PHOTO --box X Y W H" in error


@pytest.mark.parametrize("arguments", [["--box", "1", "2", "3"], ["--box", "1", "2", "3", "x"]])
def test_a_box_that_is_not_four_numbers_exits_with_2(complete, photos, arguments):
    with pytest.raises(SystemExit) as stop:
        complete(photos[0], *arguments)
    assert stop.value.code == 2


def test_out_names_the_file_of_one_photograph(complete, photos, network, tmp_path):
    out = tmp_path / "result.PNG"
    assert complete(photos[0], *ONE_BOX, "--out", out) == (0, [str(out)], [])
    assert is_completed(out, photos[0], network, ONE_HOLE)
    assert names(photos[0].parent) == {"one.png", "two.jpg", "three.bmp"}


def test_out_may_be_a_folder_that_is_there(complete, photos, network, tmp_path):
    (tmp_path / "results").mkdir()
    assert complete(photos[0], *ONE_BOX, "--out", tmp_path / "results")[0] == 0
    result = tmp_path / "results" / "one_completed.png"
    assert is_completed(result, photos[0], network, ONE_HOLE)


@pytest.mark.parametrize("name", ["result.jpg", "result.webp", "result", "result.png.txt"])
def test_results_are_png_files_and_nothing_else(complete, photos, tmp_path, name):
    code, shown, [error] = complete(photos[0], *ONE_BOX, "--out", tmp_path / name)
    assert (code, shown) == (1, [])
    assert str(tmp_path / name) in error
    assert "name it result" in error
    assert not (tmp_path / name).exists()


def test_a_result_that_is_there_is_replaced_only_when_told_to(complete, photos, network):
    result = photos[0].with_name("one_completed.png")
    result.write_text("mine")
    code, shown, [error] = complete(photos[0], *ONE_BOX)
    assert (code, shown) == (1, [])
    assert str(result) in error
    assert "--overwrite" in error
    assert result.read_text() == "mine"
    assert complete(photos[0], *ONE_BOX, "--overwrite")[0] == 0
    assert is_completed(result, photos[0], network, ONE_HOLE)


def test_the_photograph_itself_is_not_replaced_by_accident(complete, photos):
    before = photos[0].read_bytes()
    code, _, [error] = complete(photos[0], *ONE_BOX, "--out", photos[0])
    assert code == 1
    assert str(photos[0]) in error
    assert photos[0].read_bytes() == before


# Several photographs


def test_several_photographs_each_have_their_mask_in_a_folder(complete, photos, network, tmp_path):
    holes = {}
    for i, photo in enumerate(photos):
        _, holes[photo] = boxes((2 + 5 * i, 3, 6, 7 + i))
        save_mask(tmp_path / "masks" / f"{photo.stem}.png", holes[photo])
    code, shown, errors = complete(
        *photos, "--mask", tmp_path / "masks", "--out", tmp_path / "new" / "results"
    )
    results = [tmp_path / "new" / "results" / f"{photo.stem}_completed.png" for photo in photos]
    assert (code, shown, errors) == (0, [str(r) for r in results], [])
    for result, photo in zip(results, photos, strict=True):
        assert is_completed(result, photo, network, holes[photo])


def test_several_photographs_may_share_a_box_and_lie_beside_their_results(
    complete, photos, network
):
    assert complete(*photos, *ONE_BOX)[0] == 0
    for photo in photos:
        result = photo.with_name(f"{photo.stem}_completed.png")
        assert is_completed(result, photo, network, ONE_HOLE)


def test_several_photographs_do_not_fit_into_one_file(complete, photos, tmp_path):
    code, shown, [error] = complete(*photos, *ONE_BOX, "--out", tmp_path / "result.png")
    assert (code, shown) == (1, [])
    assert "several photographs need a folder" in error
    assert not (tmp_path / "result.png").exists()


@pytest.mark.parametrize("trouble", ["broken", "missing", "no-mask", "another-size", "result"])
def test_one_photograph_in_trouble_is_told_and_the_others_are_done(
    complete, photos, network, tmp_path, trouble
):
    one, two, three = photos
    masks = tmp_path / "masks"
    for photo in photos:
        save_mask(masks / f"{photo.stem}.png", ONE_HOLE)
    if trouble == "broken":
        two.write_bytes(two.read_bytes()[:100])
    elif trouble == "missing":
        two.unlink()
    elif trouble == "no-mask":
        (masks / "two.png").unlink()
    elif trouble == "another-size":
        save_mask(masks / "two.png", ONE_HOLE[:, 1:])
    else:
        two.with_name("two_completed.png").write_text("mine")
    code, shown, errors = complete(*photos, "--mask", masks)
    assert code == 1
    assert shown == [str(p.with_name(f"{p.stem}_completed.png")) for p in (one, three)]
    [error] = errors
    assert error.startswith(f"error: {two}")
    for photo in (one, three):
        result = photo.with_name(f"{photo.stem}_completed.png")
        assert is_completed(result, photo, network, ONE_HOLE)
    if trouble == "result":
        assert two.with_name("two_completed.png").read_text() == "mine"


def test_a_result_that_cannot_be_written_does_not_keep_the_others_from_being_done(
    complete, photos, network
):
    (photos[0].with_name("one_completed.png")).mkdir()  # a folder, where a file should go
    code, _, errors = complete(*photos, *ONE_BOX, "--overwrite")
    assert code == 1
    assert len(errors) == 1
    assert "one_completed.png" in errors[0]
    for photo in photos[1:]:
        result = photo.with_name(f"{photo.stem}_completed.png")
        assert is_completed(result, photo, network, ONE_HOLE)


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_two_photographs_never_replace_each_others_result(
    complete, photos, network, tmp_path, overwrite
):
    """The same stem, in two formats or two folders."""
    (tmp_path / "more").mkdir()
    other = photos[1].rename(tmp_path / "more" / "one.jpg")
    out = tmp_path / "results"
    code, shown, errors = complete(photos[0], other, *ONE_BOX, "--out", out, *overwrite)
    if code == 0:
        assert len(set(shown)) == len(names(out)) == 2
    else:
        assert len(errors) == 1
        assert str(other) in errors[0]
        assert is_completed(out / "one_completed.png", photos[0], network, ONE_HOLE)


def test_each_error_is_one_line_even_among_several_photographs(complete, photos):
    code, _, errors = complete(photos[0], photos[1].with_name("line\nbreak.png"), *ONE_BOX)
    assert code == 1
    assert len(errors) == 1


# Errors


def test_debug_shows_where_an_error_came_from(complete, photos):
    code, _, errors = complete("--debug", photos[0].with_name("none.png"), *ONE_BOX)
    assert code == 1
    assert errors[0].startswith("Traceback")
    assert errors[-1].startswith("error: ")
    code, _, errors = complete(photos[0].with_name("none.png"), *ONE_BOX)
    assert (code, len(errors)) == (1, 1)


def test_debug_shows_where_an_error_came_from_among_several_photographs(complete, photos):
    code, shown, errors = complete("--debug", *photos[:2], photos[0].with_name("no.png"), *ONE_BOX)
    assert code == 1
    assert len(shown) == 2
    assert any(line.startswith("Traceback") for line in errors)


def test_a_device_that_does_not_exist_is_told_in_one_line(inpaint, capsys, pairs, tmp_path):
    code = inpaint(*training(pairs, tmp_path / "run", device="quantum"))
    assert code == 1
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert "quantum" in error


def test_a_shell_script_gets_exit_code_and_one_line(photos, network, tmp_path):
    call = [sys.executable, "-m", "inpaint_lib", "complete", "--checkpoint", str(network)]
    root = Path(command_line.__file__).parent.parent
    options = list(map(str, ONE_BOX))
    failed = subprocess.run(
        [*call, str(tmp_path / "none.png"), *options],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == f"error: {tmp_path / 'none.png'}: no such file\n"


# Measuring


@pytest.fixture
def dataset(monkeypatch, tmp_path) -> Path:
    """Two worlds of held-out pairs, a photograph each, one pair in each bucket."""

    def photograph(seed: int) -> Image.Image:
        small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        return Image.fromarray(small).resize((260, 260), Image.Resampling.BICUBIC)

    folder = tmp_path / "dataset"
    for seed, part in enumerate(["val", "test", "bricks/val", "bricks/test"]):
        source = Source(f"photo{seed}", lambda seed=seed: photograph(seed))
        write_pairs(held_out_pairs([source], 1, 0), folder / part, 0)
    (tmp_path / "mine").mkdir()
    for seed in range(2):
        photograph(10 + seed).save(tmp_path / "mine" / f"{seed}.png")
    monkeypatch.setattr(paths, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    monkeypatch.setattr(command_line, "ensure_prepared", lambda: None)
    # Fewer pairs, and without the one method that takes its time.
    few = partial(held_out_pairs, per_bucket=2)
    monkeypatch.setattr(evaluation, "held_out_pairs", lambda s, count, seed: few(s, seed=seed))
    monkeypatch.setattr(evaluation, "biharmonic", evaluation.mean_colour)
    return folder


METHODS = {"ours", "our start", "mean colour", "push-pull", "biharmonic", "Telea", "Navier-Stokes"}


def test_evaluate_prints_the_table_and_writes_it_as_csv(
    inpaint, capsys, dataset, network, tmp_path
):
    out = tmp_path / "table.csv"
    drawn = tmp_path / "examples.png"
    arguments = ["--checkpoint", network, "--out", out, "--pictures", drawn]
    assert inpaint("evaluate", *arguments) == 0
    with Image.open(drawn) as picture:
        assert picture.width > 2 * picture.height  # three columns for each of four buckets
    shown = capsys.readouterr().out
    for heading in (*evaluation.METRICS.values(), *evaluation.BUCKETS, *METHODS, "photographs"):
        assert heading in shown
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["bucket"]) for row in rows} == {
        (method, bucket) for method in METHODS for bucket in evaluation.BUCKETS
    }
    for row in rows:
        assert row["pictures"] == "1"
        assert f"{float(row['hole_psnr']):.2f}" in shown
        assert 0 <= float(row["hole_l1"]) <= 1


def test_evaluate_measures_the_world_and_the_split_asked_for(
    inpaint, monkeypatch, dataset, network
):
    seen = []
    read = evaluation.read_held_out

    def noted(folder):
        seen.append(Path(folder).relative_to(dataset).as_posix())
        return read(folder)

    monkeypatch.setattr(evaluation, "read_held_out", noted)
    assert inpaint("evaluate", "--checkpoint", network) == 0
    assert inpaint("evaluate", "--checkpoint", network, "--split", "val") == 0
    assert inpaint("evaluate", "--checkpoint", network, "--world", "bricks") == 0
    assert seen == ["val", "test", "val", "val", "bricks/val", "bricks/test"]


def test_evaluate_measures_on_any_folder_with_seeded_holes(
    inpaint, capsys, dataset, network, tmp_path
):
    tables = []
    for seed in (0, 0, 1):
        photos = "--photos", tmp_path / "mine", "--seed", seed
        assert inpaint("evaluate", "--checkpoint", network, *photos) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1] != tables[2]
    [photographs] = [line for line in tables[0].splitlines() if line.startswith("photographs")]
    assert photographs.split()[1:] == ["2"] * 4
    assert "95 % interval" in tables[0]


def test_evaluate_prepares_what_is_not_there(inpaint, monkeypatch, dataset, network):
    def prepared():
        (dataset / "hidden").rename(dataset / "val")

    (dataset / "val").rename(dataset / "hidden")
    monkeypatch.setattr(command_line, "ensure_prepared", prepared)
    assert inpaint("evaluate", "--checkpoint", network) == 0


@pytest.mark.parametrize("trouble", ["missing", "empty", "broken", "checkpoint"])
def test_evaluate_tells_what_it_cannot_read_in_one_line(
    inpaint, capsys, dataset, network, tmp_path, trouble
):
    photos, culprit = tmp_path / "mine", tmp_path / "mine"
    if trouble == "missing":
        photos = culprit = tmp_path / "nowhere"
    elif trouble == "empty":
        for path in photos.iterdir():
            path.unlink()
    elif trouble == "broken":
        culprit = photos / "1.png"
        culprit.write_bytes(culprit.read_bytes()[:500])
    else:
        network = culprit = tmp_path / "none.pth"
    out = tmp_path / "table.csv"
    out.write_text("the table before")
    options = "--photos", photos, "--out", out
    assert inpaint("evaluate", "--checkpoint", network, *options) == 1
    shown = capsys.readouterr()
    [error] = shown.err.splitlines()
    assert error.startswith(f"error: {culprit}")
    assert out.read_text() == "the table before"
