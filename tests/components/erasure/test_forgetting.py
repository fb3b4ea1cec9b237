"""A user is forgotten by the shop file of the home, wherever it lies now."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.erasure.forgetting import forget_user
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.home.tombstones import Tombstones
from tests.shop_files import PURCHASES


def test_a_shop_file_that_lies_elsewhere_is_named(tmp_path: Path) -> None:
    home, said = Home(tmp_path / "home"), list[str]()
    write_shop_note(home, ShopNote("corner_shop", "/a machine that is gone/shop.toml"))
    with pytest.raises(ConfigurationError, match="there is no such shop file; name one with --shop"):
        forget_user(home, "ann", said.append)
    shop_file, another = tmp_path / "moved.toml", tmp_path / "another.toml"
    shop_file.write_text(PURCHASES)
    another.write_text(PURCHASES.replace("corner_shop", "florist"))
    with pytest.raises(ConfigurationError, match="belongs to the shop 'corner_shop', found 'florist'"):
        forget_user(home, "ann", said.append, another)
    assert not Tombstones(home.tombstones)
    assert forget_user(home, "ann", said.append, shop_file).state == "done"
    assert "ann" in Tombstones(home.tombstones)
