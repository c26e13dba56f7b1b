"""The command before any of it is loaded."""

import sys

import pytest
from typer.core import TyperGroup

from unbraid.__main__ import main


def test_ctrl_c_while_the_command_is_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pressed:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "unbraid.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "unbraid.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed, *sys.meta_path])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "error: interrupted.\n"


@pytest.mark.parametrize("stage", ["make_context", "invoke"])
def test_ctrl_c_before_the_command_begins_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, stage, pressed)
    monkeypatch.setattr(sys, "argv", ["unbraid", "doctor"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "error: interrupted.\n"
