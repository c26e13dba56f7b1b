"""Builds of ONNX Runtime share one folder: what is installed, what is wrong with it, and which commands mend it."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from unbraid.runtime import builds

README = Path(__file__).parents[2] / "README.md"
EXTRA = "`pip install 'unbraid[gpu]'`, then "
MEND = "`pip uninstall --yes onnxruntime`, then `pip install --force-reinstall --no-deps onnxruntime-gpu`"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A machine with just these distributions, each of two files."""
    here: dict[str, list[Path]] = {}

    class File(type(tmp_path)):  # type: ignore[misc]
        def locate(self) -> Path:
            return self

    def version(name: str) -> str:
        if name not in here:
            raise PackageNotFoundError(name)
        return "1.2.3"

    def install(*names: str) -> list[Path]:
        here.clear()
        for name in names:
            here[name] = [File(tmp_path, name + end) for end in (".py", ".so")]
            for file in here[name]:
                file.touch()
            here[name].append(File(tmp_path, "never.pyc"))  # pip lists these, and others delete them
        return [file for files in here.values() for file in files]

    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr("importlib.metadata.files", lambda name: here[name])
    return install


def test_one_build_is_right(install) -> None:
    for name in builds.BUILDS.values():
        install(name)
        assert builds.installed_builds() == {name: "1.2.3"}
        assert builds.what_is_wrong() is None


def test_two_builds_are_one_too_many(install) -> None:
    install("onnxruntime-gpu", "onnxruntime")
    assert builds.what_is_wrong() == (
        f"onnxruntime and onnxruntime-gpu are installed together, but share one folder. For cuda, run {MEND}."
    )
    assert builds.commands_for("cuda") == f"For cuda, run {MEND}"


def test_uninstalling_one_of_two_takes_files_of_the_other(install) -> None:
    install("onnxruntime-gpu")[0].unlink()
    assert builds.what_is_wrong() == (
        "onnxruntime-gpu has lost files, as it does when another build is uninstalled. For cuda, run "
        "`pip install --force-reinstall --no-deps onnxruntime-gpu`."
    )


def test_no_build_at_all(install) -> None:
    install()
    assert builds.what_is_wrong() == "ONNX Runtime is not installed; reinstall unbraid."


def test_from_the_base_install_it_takes_three_commands_and_readme_says_the_same(install) -> None:
    install("onnxruntime")
    commands = builds.commands_for("cuda")
    assert commands == f"For cuda, run {EXTRA}{MEND}"
    lines = commands.removeprefix("For cuda, run ").replace("`, then `", "\n").strip("`")
    assert f"```\n{lines}\n```" in README.read_text(encoding="utf-8")
    assert builds.commands_for("rocm") == (
        "For rocm, run `pip uninstall --yes onnxruntime`, "
        "then `pip install --force-reinstall --no-deps onnxruntime-migraphx`"
    )
