"""What stands beside the code for other programs: environments, citation, cards, forms."""

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CPU = "--extra-index-url https://download.pytorch.org/whl/cpu"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_binder_gets_the_same_environment_with_the_small_pytorch():
    everywhere, binder = (
        yaml.safe_load(text(name)) for name in ("environment.yml", ".binder/environment.yml")
    )
    packages = binder["dependencies"][-1]["pip"]
    assert packages.pop(0) == CPU
    # pip is started in the folder of the file.
    assert (ROOT / ".binder" / packages.pop().split()[1]).resolve() == ROOT
    assert everywhere["dependencies"][-1]["pip"].pop() == "--editable ."
    assert binder == everywhere


def test_the_known_good_set_names_every_package_within_its_range():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *extras["notebooks"], *extras["book"], *extras["dev"]]:
        wanted = Requirement(line)
        if wanted.name != PROJECT["name"]:
            assert wanted.specifier.contains(pinned[wanted.name]), line


def test_the_citation_and_the_changelog_know_the_version():
    cited = yaml.safe_load(text("CITATION.cff"))
    assert cited["version"] == PROJECT["version"]
    assert cited["license"] == PROJECT["license"]
    assert text("CHANGELOG.md").count(f"## {PROJECT['version']}") == 1


def test_the_container_calls_a_target_that_there_is():
    container = json.loads(text(".devcontainer/devcontainer.json"))
    target = container["postCreateCommand"].split()[1]
    assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.stem)
def test_forms_and_workflows_can_be_read(path):
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.parent.name == "workflows":
        for job in read["jobs"].values():
            assert job["timeout-minutes"] <= 360
            for step in job["steps"]:
                assert {"uses", "run"} & step.keys()
    elif path.stem != "config":
        assert {"name", "description", "body"} <= read.keys()


@pytest.mark.parametrize("world", ["photographs", "bricks"])
def test_the_head_of_the_model_card_has_the_recorded_numbers(world):
    head = yaml.safe_load(text("checkpoints/README.md").split("---\n")[1])
    assert head["license"] == "mit"
    [entry] = [entry for entry in head["model-index"] if entry["name"] == world]
    told = {
        (metric["name"].split(",")[0], metric["type"]): metric["value"]
        for metric in entry["results"][0]["metrics"]
    }
    with open(ROOT / "checkpoints" / f"{world}.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "ours"]
    assert told == {
        (row["bucket"], kind): pytest.approx(float(row[f"hole_{kind}"]), abs=0.0051)
        for row in rows
        for kind in ("psnr", "ssim")
    }


@pytest.mark.parametrize(
    "page",
    ["CHANGELOG.md", "CODE_OF_CONDUCT.md", "checkpoints/README.md", "dataset/README.md"]
    + [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md"))],
)
def test_links_of_the_other_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", text(page)):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_contents_of_the_book_are_there():
    listed = re.findall(r"^(?:\.\./)?[\w/]+$", text("docs/index.md"), re.MULTILINE)
    assert len(listed) >= 9
    for page in listed:
        assert (ROOT / "docs" / f"{page}.md").resolve().is_file(), page
