"""What a person gets wrong: one clear line with the file and the remedy; nothing lost.

Also what must simply work: large folders, links, any name, any locale. Damaged tensors are in
test_checks.py; what the readers themselves refuse in test_data.py, test_model.py and, by the
thousand, in test_fuzz.py.
"""

import os
import signal
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_lib import ImageCompletionDataset, PixelRNN, load_model
from inpaint_lib import __main__ as command_line
from inpaint_lib.checkpoints import save_model
from inpaint_lib.pictures import list_pictures, read_picture
from inpaint_lib.training import TrainConfig, Trainer, run

BOX = ("--box", 4, 5, 6, 7)


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command line; returns its exit code and the lines it wrote as errors."""

    def run_it(*arguments) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["inpaint_lib", *map(str, arguments)])
        capsys.readouterr()
        code = command_line.main()
        written = capsys.readouterr().err.replace("\r", "\n").split("\n")
        bar = ("step/s", "s/step")  # the progress bar is not an error
        return code, [line for line in written if line.strip() and not any(b in line for b in bar)]

    return run_it


@pytest.fixture
def refused(command):
    """Run a command line that must fail with exit code 1; returns its one line."""

    def run_it(*arguments) -> str:
        code, lines = command(*arguments)
        assert code == 1
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]

    return run_it


def training(pairs: Path, save_dir: Path, *more, **changes) -> list[str]:
    """The arguments of a run of a second."""
    options = {
        "occluded_dir": pairs / "occluded_images",
        "original_dir": pairs / "original_images",
        "save_dir": save_dir,
        "epochs": 1,
        "batch_size": 3,
        "hidden_channels": 4,
        "crop_size": 32,
        "device": "cpu",
    } | changes
    named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return ["train", *named, *map(str, more)]


def config(pairs: Path, save_dir: Path, **changes) -> TrainConfig:
    settings = {"epochs": 1, "batch_size": 3, "hidden_channels": 4, "crop_size": 32}
    settings["device"] = "cpu"
    folders = pairs / "occluded_images", pairs / "original_images", save_dir
    return TrainConfig(*folders, **(settings | changes))


def contents(folder: Path) -> dict[str, bytes]:
    """All that a folder holds, but for the lock and the folders themselves."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def picture(path: Path, size: tuple[int, int] = (30, 20), seed: int = 0) -> Path:
    """A photograph of noise, (width, height)."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def tiny() -> PixelRNN:
    torch.manual_seed(0)
    return PixelRNN(hidden_channels=4).eval()


@pytest.fixture
def network(tmp_path) -> Path:
    (tmp_path / "networks").mkdir()
    save_model(tiny(), tmp_path / "networks" / "tiny.pth")
    return tmp_path / "networks" / "tiny.pth"


@pytest.fixture
def photo(tmp_path) -> Path:
    return picture(tmp_path / "photos" / "photo.png")


def completing(photo: Path, network: Path, *more) -> list:
    return ["complete", photo, "--checkpoint", network, *(more or BOX)]


def bomb() -> bytes:
    """A PNG of 60 KB that says, and would become, 400 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (20_000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(20_000 * 2_501), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


# Folders


@pytest.mark.parametrize("option", ["occluded_dir", "original_dir", "mask_dir"])
def test_a_missing_folder_is_told_before_anything_is_made(refused, pairs, tmp_path, option):
    line = refused(*training(pairs, tmp_path / "run", **{option: tmp_path / "nowhere"}))
    assert str(tmp_path / "nowhere") in line
    assert "python -m inpaint_lib prepare" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["occluded_dir", "original_dir", "mask_dir"])
def test_an_empty_folder_is_told_with_what_counts_as_a_picture(refused, pairs, tmp_path, option):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    line = refused(*training(pairs, tmp_path / "run", **{option: tmp_path / "empty"}))
    assert f"{tmp_path / 'empty'}: no pictures" in line
    assert ".png" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_no_photographs_to_prepare_leaves_what_was_prepared(refused, tmp_path, kind):
    if kind == "empty":
        (tmp_path / "own").mkdir()
    earlier = picture(tmp_path / "out" / "train" / "original_images" / "0.png")
    before = earlier.read_bytes()
    line = refused("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "out")
    assert str(tmp_path / "own") in line
    assert contents(tmp_path / "out") == {"train/original_images/0.png": before}


def test_an_occluded_picture_without_its_original_is_told_with_both_remedies(
    refused, pairs, tmp_path
):
    (pairs / "original_images" / "3.png").unlink()
    line = refused(*training(pairs, tmp_path / "run"))
    assert str(pairs / "occluded_images" / "occluded_3.png") in line
    assert "3.png" in line
    assert str(pairs / "original_images") in line
    assert "add it" in line
    assert "remove" in line
    assert not (tmp_path / "run").exists()


# Pictures. Training meets them in its second epoch; the first must survive that.


@pytest.fixture
def spoilt_while_training(refused, command, pairs, tmp_path):
    """Train an epoch, let something be done to a pair, go on; returns the line of the error."""

    def run_it(spoil, **changes) -> str:
        save_dir = tmp_path / "run"
        changes = {"lr": 1e-3} | changes
        assert command(*training(pairs, save_dir, **changes)) == (0, [])
        before, whole = contents(save_dir), contents(pairs)
        spoil()
        line = refused(*training(pairs, save_dir, "--resume", **(changes | {"epochs": 2})))
        assert contents(save_dir) == before
        for name, data in whole.items():
            (pairs / name).write_bytes(data)
        assert command(*training(pairs, save_dir, "--resume", **(changes | {"epochs": 2}))) == (
            0,
            [],
        )
        return line

    return run_it


@pytest.mark.parametrize("kind", ["occluded_images/occluded_2.png", "original_images/2.png"])
def test_a_pair_of_two_sizes_stops_training_and_the_epochs_before_are_kept(
    spoilt_while_training, pairs, kind
):
    line = spoilt_while_training(lambda: picture(pairs / kind, (41, 40)))
    assert str(pairs / "occluded_images" / "occluded_2.png") in line
    assert "(41, 40)" in line
    assert "(40, 40)" in line
    assert "one size" in line


DAMAGE = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "zero-byte": lambda whole: b"",
    "text": lambda whole: b"This is no picture.\n" * 50,
    "bomb": lambda whole: bomb(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_picture_stops_training_and_the_epochs_before_are_kept(
    spoilt_while_training, pairs, damage
):
    path = pairs / "original_images" / "2.png"
    line = spoilt_while_training(lambda: path.write_bytes(DAMAGE[damage](path.read_bytes())))
    assert f"{path}: cannot be read as a picture" in line
    assert "replace or remove it" in line


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["photograph", "mask"])
def test_a_damaged_picture_is_not_completed_and_stays_as_it_is(
    refused, photo, network, damage, which
):
    mask = picture(photo.parent / "mask.png")
    path = photo if which == "photograph" else mask
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    before = contents(photo.parent)
    line = refused(*completing(photo, network, *BOX, "--mask", mask))
    assert f"{path}: cannot be read as a picture" in line
    assert "replace or remove it" in line
    assert contents(photo.parent) == before


def test_a_missing_photograph_is_named(refused, photo, network):
    line = refused(*completing(photo.with_name("other.png"), network))
    assert str(photo.with_name("other.png")) in line


def test_a_decompression_bomb_takes_neither_time_nor_memory(refused, photo, network):
    photo.write_bytes(bomb())
    start = time.perf_counter()
    line = refused(*completing(photo, network))
    assert time.perf_counter() - start < 2  # to unpack it would take longer, and 400 MB
    assert str(photo) in line


# Masks


def test_a_mask_of_another_size_is_told_with_both_sizes(refused, photo, network):
    mask = photo.with_name("mask.png")
    Image.new("L", (20, 30)).save(mask)  # that of the photograph, turned
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert str(mask) in line
    assert str(photo) in line
    assert "20 x 30" in line
    assert "30 x 20" in line
    assert contents(photo.parent) == before


def test_a_mask_that_is_all_hole_is_told_with_what_to_paint(refused, photo, network):
    mask = photo.with_name("mask.png")
    Image.new("L", (30, 20), 255).save(mask)
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert f"{mask}: is all hole" in line
    assert "white only what is to be filled" in line
    assert contents(photo.parent) == before


def test_a_mask_whose_channels_differ_is_told_with_what_to_paint(refused, photo, network):
    mask = picture(photo.with_name("mask.png"), seed=1)
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert f"{mask}: its three channels differ" in line
    assert "white on black" in line
    assert contents(photo.parent) == before


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Image.new("L", (41, 40)), "one size"),
        (Image.new("RGB", (40, 40), (255, 0, 0)), "channels differ"),
        (Image.new("L", (40, 40), 255), "all hole"),
    ],
    ids=["another-size", "channels", "all-hole"],
)
def test_a_wrong_mask_of_a_pair_stops_training_by_name(refused, pairs, tmp_path, mask, words):
    mask.save(pairs / "masks" / "2.png")
    line = refused(*training(pairs, tmp_path / "run", mask_dir=pairs / "masks"))
    assert "2.png" in line
    assert words in line


# Pictures and crops too small


def test_a_crop_smaller_than_the_ssim_window_is_told_with_both(refused, pairs, tmp_path):
    line = refused(*training(pairs, tmp_path / "run", crop_size=5))
    assert "7" in line
    assert "5 x 5" in line
    assert contents(tmp_path / "run") == {}


# Checkpoints


def other_format(path: Path, version: object) -> None:
    torch.save(torch.load(path, weights_only=True) | {"format": version}, path)


def other_architecture(path: Path) -> None:
    wider = PixelRNN(hidden_channels=8)
    torch.save(torch.load(path, weights_only=True) | {"model": wider.state_dict()}, path)


def nonsense(path: Path, **changes) -> None:
    content = torch.load(path, weights_only=True)
    for name, value in changes.items():
        content[name] = content[name] | value if isinstance(content[name], dict) else value
    torch.save(content, path)


def foreign(path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), path)


class Code:
    """Unpickled without care, it makes a folder."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def with_code(path: Path) -> None:
    torch.save(torch.load(path, weights_only=True) | {"notes": Code(path.with_name("trace"))}, path)


SPOILT = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3000]),
    "text": lambda path: path.write_text("weights"),
    "another-architecture": other_architecture,
    "foreign": foreign,
    "older-format": lambda path: other_format(path, 0),
    "newer-format": lambda path: other_format(path, 2),
    "no-channels": lambda path: nonsense(path, config={"hidden_channels": 0}),
    "nameless-weights": lambda path: nonsense(path, model={1: torch.zeros(1)}),
    "several-formats": lambda path: nonsense(path, format=torch.ones(3)),
    "code": with_code,
}
REMEDY = r"train|make demo|another checkpoint|choose|replace"


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_checkpoint_that_cannot_be_used_is_told_with_a_remedy(refused, photo, network, spoilt):
    SPOILT[spoilt](network)
    before = contents(photo.parent)
    line = refused(*completing(photo, network))
    assert str(network) in line
    after = line[line.index(str(network)) + len(str(network)) :]
    assert any(word in after for word in REMEDY.split("|")), f"no remedy in: {line}"
    assert contents(photo.parent) == before


def test_code_in_a_checkpoint_is_not_run_nor_is_running_it_advised(refused, photo, network):
    with_code(network)
    torch.load(network, weights_only=False)
    network.with_name("trace").rmdir()  # so it would run
    line = refused(*completing(photo, network))
    assert not network.with_name("trace").exists()
    assert "weights_only" not in line
    assert len(line) < 400, "one clear sentence, not a page"


@pytest.mark.parametrize("spoilt", sorted(SPOILT.keys() - {"missing"}))
def test_a_run_whose_state_cannot_be_used_is_left_as_it_is(
    refused, command, pairs, tmp_path, spoilt
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    SPOILT[spoilt](save_dir / "state.pth")
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", epochs=2))
    assert str(save_dir / "state.pth") in line
    assert contents(save_dir) == before
    assert not (save_dir / "trace").exists()


def test_weights_alone_are_no_state_to_resume_from(refused, command, pairs, tmp_path):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    (save_dir / "model_epoch1.pth").replace(save_dir / "state.pth")
    before = contents(save_dir)
    assert str(save_dir / "state.pth") in refused(*training(pairs, save_dir, "--resume", epochs=2))
    assert contents(save_dir) == before


def test_to_resume_with_another_network_is_refused_with_what_differs(
    refused, command, pairs, tmp_path
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", hidden_channels=8))
    assert str(save_dir) in line
    assert "hidden_channels was 4, is 8" in line
    assert "overwrite" in line
    assert contents(save_dir) == before


def test_to_resume_without_a_state_does_not_throw_the_checkpoints_away(
    refused, command, pairs, tmp_path
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir, epochs=5))[0] == 0
    (save_dir / "state.pth").unlink()
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", epochs=5, seed=1))
    assert str(save_dir) in line
    assert contents(save_dir) == before


# Folders that cannot be written to


@pytest.mark.parametrize("where", ["below-a-file", "a-file"])
def test_a_save_folder_that_cannot_be_made_is_told_with_a_remedy(refused, pairs, tmp_path, where):
    (tmp_path / "file").write_text("mine")
    save_dir = tmp_path / "file" if where == "a-file" else tmp_path / "file" / "run"
    line = refused(*training(pairs, save_dir))
    assert str(save_dir) in line
    assert "choose another" in line
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def in_vain(tmp_path, monkeypatch):
    """Take the right to write in a folder away; from root by becoming somebody else meanwhile."""
    if not hasattr(os, "geteuid"):
        pytest.skip("no such rights on this system")
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above may be closed to others
    root, closed = os.geteuid() == 0, []

    def close(folder: str) -> None:
        Path(folder).chmod(0o555)
        closed.append(folder)
        if root:
            os.seteuid(65534)

    yield close
    if root:
        os.seteuid(0)
    for folder in closed:
        (tmp_path / folder).chmod(0o755)


def test_a_save_folder_without_the_right_to_write_is_told_with_a_remedy(refused, pairs, in_vain):
    Path("run").mkdir()
    in_vain("run")
    line = refused(*training(Path("pairs"), Path("run")))
    assert "run" in line
    assert "choose another" in line


def test_a_run_without_the_right_to_write_any_more_is_left_as_it_is(
    refused, command, pairs, in_vain
):
    assert command(*training(Path("pairs"), Path("run")))[0] == 0
    before = contents(Path("run"))
    Path("run/.lock").unlink(missing_ok=True)
    in_vain("run")
    line = refused(*training(Path("pairs"), Path("run"), "--resume", epochs=2))
    assert "run" in line
    assert "choose another" in line
    assert contents(Path("run")) == before


@pytest.mark.parametrize("out", ["missing/result.png", "file/result.png"])
def test_a_result_that_cannot_be_written_is_told_with_a_remedy(refused, photo, network, out):
    (photo.parent / "file").write_text("mine")
    before = contents(photo.parent)
    line = refused(*completing(photo, network, *BOX, "--out", photo.parent / out))
    assert str(photo.parent / out) in line
    assert "choose another" in line
    assert contents(photo.parent) == before


def test_prepared_pairs_that_cannot_be_written_are_told_with_the_folder(refused, photo, tmp_path):
    for seed in range(3):
        picture(tmp_path / "own" / f"{seed}.png", (140, 130), seed)
    (tmp_path / "file").write_text("mine")
    line = refused("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "file" / "pairs")
    assert str(tmp_path / "file" / "pairs") in line
    assert (tmp_path / "file").read_text() == "mine"


# A disk that fills

FULL = """
import resource, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from inpaint_lib import __main__ as command_line
from inpaint_lib import checkpoints, model

where, limit = sys.argv.pop(1), int(sys.argv.pop(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def fill(*arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

if where == "state":
    save = checkpoints.RunFolder.save
    checkpoints.RunFolder.save = lambda *a: (fill(), save(*a))
elif where == "weights":
    save = checkpoints.save_model
    checkpoints.save_model = lambda *a: (fill(), save(*a))
else:
    fill()
sys.exit(command_line.main())
"""


def on_a_full_disk(where: str, limit: int, *arguments) -> str:
    """Run a command that can write no file longer than `limit`; returns the line of its error."""
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FULL, where, str(limit), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1, done.stderr
    *_, line = done.stderr.replace("\r", "\n").strip().split("\n")
    assert "Traceback" not in done.stderr
    assert line.startswith("error: ")
    return line


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
@pytest.mark.parametrize("where", ["state", "weights"])
def test_a_disk_that_fills_while_saving_leaves_the_checkpoint_before(
    command, pairs, tmp_path, where
):
    save_dir, whole = tmp_path / "run", tmp_path / "whole"
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    line = on_a_full_disk(where, 20_000, *training(pairs, save_dir, "--resume", epochs=2))
    name = "state.pth" if where == "state" else "model_epoch2.pth"
    assert str(save_dir / name) in line
    assert "free some space" in line
    assert not list(save_dir.rglob("*.partial"))
    after = contents(save_dir)
    assert after["model_epoch1.pth"] == before["model_epoch1.pth"]
    if where == "state":
        assert after["state.pth"] == before["state.pth"]
    assert isinstance(load_model(save_dir / "state.pth", "cpu"), PixelRNN)
    assert command(*training(pairs, save_dir, "--resume", epochs=2)) == (0, [])
    assert command(*training(pairs, whole, epochs=2)) == (0, [])
    assert contents(save_dir)["training_log.txt"] == contents(whole)["training_log.txt"]
    for name in ("state.pth", "model_epoch2.pth"):
        one, other = (load_model(d / name, "cpu").state_dict() for d in (save_dir, whole))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
def test_a_disk_that_fills_while_a_result_is_written_leaves_the_one_before(photo, network):
    result = photo.with_name("photo_completed.png")
    result.write_text("the result before")
    before = contents(photo.parent)
    line = on_a_full_disk("at once", 500, *completing(photo, network, *BOX, "--overwrite"))
    assert str(result) in line
    assert "free some space" in line
    assert contents(photo.parent) == before


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
def test_a_disk_that_fills_while_pairs_are_prepared_is_told_with_the_file(tmp_path):
    for seed in range(3):
        picture(tmp_path / "own" / f"{seed}.png", (140, 130), seed)
    out = tmp_path / "pairs"
    few = ("--train-pairs", 3, "--per-bucket", 1)
    line = on_a_full_disk(
        "at once", 4000, "prepare", "--photos", tmp_path / "own", "--out", out, *few
    )
    assert str(out) in line


# A loss that becomes NaN


def test_a_loss_that_is_not_a_number_is_told_with_its_step_and_a_remedy(
    refused, command, pairs, tmp_path, monkeypatch
):
    save_dir, calls = tmp_path / "run", []
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    sound = PixelRNN.forward

    def breaks_down(self, img_rgb, mask):
        calls.append(1)
        return sound(self, img_rgb, mask) * (float("nan") if len(calls) == 2 else 1)

    monkeypatch.setattr(PixelRNN, "forward", breaks_down)
    line = refused(*training(pairs, save_dir, "--resume", epochs=3))
    assert "step 4 (epoch 2)" in line  # two steps an epoch
    assert "lower lr" in line
    assert contents(save_dir) == before
    assert command(*training(pairs, save_dir, "--resume", epochs=3)) == (0, [])


def test_a_gradient_that_is_not_a_number_never_reaches_the_state_on_disk(
    command, pairs, tmp_path, monkeypatch
):
    """The loss is still finite at the step that spoils the weights, an epoch's last one."""
    save_dir, calls = tmp_path / "run", []
    sound = torch.optim.Adam.step

    def spoils(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 4:  # the last step of the second epoch
            self.param_groups[0]["params"][0].grad[:] = float("nan")
        return sound(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", spoils)
    code, lines = command(*training(pairs, save_dir, epochs=3))
    assert code == 1
    assert "epoch 2" in lines[-1] or "epoch 3" in lines[-1]
    weights = load_model(save_dir / "state.pth", "cpu").state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


# Two trainings in one folder


@pytest.mark.parametrize("how", ["--resume", "--overwrite"])
def test_a_second_training_in_one_folder_is_refused_and_disturbs_nothing(
    refused, pairs, tmp_path, how
):
    save_dir = tmp_path / "run"
    steps = Trainer(config(pairs, save_dir, epochs=2)).steps()
    for _ in range(3):  # into its second epoch
        next(steps)
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, how, epochs=2))
    assert f"{save_dir}: another process is training in this folder" in line
    assert "wait" in line
    assert "another save_dir" in line
    assert contents(save_dir) == before
    assert [step.step for step in steps] == [4]


def test_a_second_training_without_resume_is_refused_too(refused, pairs, tmp_path):
    save_dir = tmp_path / "run"
    steps = Trainer(config(pairs, save_dir)).steps()
    next(steps)
    line = refused(*training(pairs, save_dir))
    assert str(save_dir) in line
    assert [step.step for step in steps] == [2]


def test_of_two_trainers_made_before_either_ran_the_second_does_not_replace_the_first(
    pairs, tmp_path
):
    save_dir = tmp_path / "run"
    first, second = (Trainer(config(pairs, save_dir, epochs=2, seed=s)) for s in range(2))
    run(first)
    before = contents(save_dir)
    with pytest.raises((FileExistsError, BlockingIOError), match="run"):
        run(second)
    assert contents(save_dir) == before


def test_a_trainer_made_before_another_went_on_does_not_undo_what_that_did(pairs, tmp_path):
    save_dir = tmp_path / "run"
    run(Trainer(config(pairs, save_dir, epochs=1)))
    early = Trainer(config(pairs, save_dir, epochs=3, resume=True))
    run(Trainer(config(pairs, save_dir, epochs=5, resume=True)))
    before = contents(save_dir)
    with suppress(FileExistsError, BlockingIOError, ValueError):
        run(early)
    assert contents(save_dir) == before


# And these work


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
    Image.new("L", (30, 20)).save(tmp_path / name / "masks" / f"{name}.png")
    masks = "--mask", tmp_path / name / "masks"
    assert command(*completing(photo, network, *BOX, *masks)) == (0, [])
    assert read_picture(tmp_path / name / f"{name}_completed.png").size == (30, 20)


def test_any_name_is_prepared(command, tmp_path, name):
    for seed in range(3):
        picture(tmp_path / name / f"{name}{seed}.png", (140, 130), seed)
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


IN_A_LOCALE = """
import json, os, sys
import torch
torch.set_num_threads(1)
from inpaint_lib import __main__ as command_line

[photo] = [n for n in os.listdir("photos") if not n.isdigit() and "_completed" not in n]
[folder] = [n for n in os.listdir("pairs")]
training = [
    "train", f"--occluded-dir=pairs/{folder}/occluded_images", f"--save-dir=run {folder}",
    f"--original-dir=pairs/{folder}/original_images", "--batch-size=3", "--hidden-channels=4",
    "--crop-size=32", "--device=cpu",
]
few = ["--train-pairs=1", "--per-bucket=1"]
commands = {
    "train": [*training, "--epochs=1"],
    "resume": [*training, "--epochs=2", "--resume"],
    "complete": [
        "complete", f"photos/{photo}", "--box", "4", "5", "6", "7",
        "--checkpoint", f"run {folder}/state.pth",
    ],
    "prepare": ["prepare", "--photos", "own", "--out", "out", *few],
    "error": ["complete", f"photos/{folder}.jpg", "--box", "4", "5", "6", "7", "--checkpoint",
              f"run {folder}/state.pth"],
    "help": ["train", "--help"],
}
for what in sys.argv[1].split():
    sys.argv = ["inpaint_lib", *commands[what]]
    try:
        code = command_line.main()
    except SystemExit as stop:
        code = stop.code
    except BaseException as error:
        code = repr(error)
    print(f"\\n{what}: {code}", flush=True)
"""
LOCALES = {
    "C": {"LC_ALL": "C"},
    "C, latin-1": {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}


def in_a_locale(folder: Path, locale: str, commands: str) -> tuple[dict[str, str], str, str]:
    """Exit codes by command, and what they wrote, as bytes read as latin-1."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_LOCALE, commands],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=180,
        env={k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
        | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}
        | {"PYTHONPATH": str(Path(command_line.__file__).parent.parent)}
        | LOCALES[locale],
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
        picture(tmp_path / "photos" / f"{name}.png")
    except OSError:
        pytest.skip("not a name on this system")
    for seed in range(3):
        picture(tmp_path / "own" / f"{name}{seed}.png", (140, 130), seed)
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
