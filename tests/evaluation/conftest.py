"""What an evaluation is told of its circumstances."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unbraid.evaluation.report import Setting
from unbraid.evaluation.request import EvaluationRequest
from unbraid.hub.spec import ModelSpec


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Setting]:
    """Make the setting of an evaluation of a model called m on a dataset called d; pictures take long, so none are
    drawn unless a test looks at them."""

    def make(
        spec: ModelSpec,
        peak: int | None = None,
        *,
        model: str = "m",
        dataset: str = "d",
        drawn: bool = False,
        **options,
    ) -> Setting:
        if not drawn:
            monkeypatch.setitem(sys.modules, "matplotlib", None)
        (tmp_path / dataset).mkdir(exist_ok=True)
        request = EvaluationRequest(tmp_path / dataset, **options)
        return Setting(dataclasses.replace(spec, name=model), request, "cpu", "float32", peak)

    return make
