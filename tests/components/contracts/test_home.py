"""A home stands where everything in it works, or is refused."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home


@pytest.mark.parametrize("name", ["shop [a]", "a%20b", "a^b", "a\\b"])
def test_a_home_where_delta_tables_cannot_live_is_one_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"found '.+' in its path, expected none of .* name another --home"):
        Home(tmp_path / name)
