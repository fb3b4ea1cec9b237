"""How a run ends."""

from pathlib import Path

import pytest

from components.home.layout import Home
from components.home.runs.life import write_result
from components.home.runs.records import RunRecord


def test_a_run_whose_shop_file_is_gone_says_that_its_result_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, shop_file = Home(tmp_path), tmp_path / "gone.toml"
    write_result(home, RunRecord("r1", "training", "corner_shop", str(shop_file), as_of=None), {}, error=None)
    result = home.run("r1") / "result.json"
    assert capsys.readouterr().err.startswith(f"{result}: is not written: {shop_file}: there is no such shop file")
    assert not result.exists()
