"""A run warns of session ids that come back, with counts and the key."""

from pathlib import Path

from tests.shop_files import PURCHASES, shop_folder

ON_RECEIPTS = PURCHASES.replace('time = "bought_at"', 'time = "bought_at", session = "receipt"')
HEADER = "customer,article,bought_at,receipt\n"


def warnings_of(folder: Path, rows: str) -> list[str]:
    shop = shop_folder(folder, ON_RECEIPTS, purchases=HEADER + rows)
    return [warning for warning in shop.validate().warnings if "columns.session" in warning]


def test_ids_that_come_back_are_counted_and_ids_of_one_time_are_not(tmp_path: Path) -> None:
    daily = "".join(f"a,1,2024-03-{day:02} 10:00:00,7\n" for day in range(1, 11)) + "b,2,2024-03-11 10:00:00,8\n"
    unique = "".join(f"a,1,2024-03-{day:02} 10:00:00,r{day}\n" for day in range(1, 11))

    (warning,) = warnings_of(tmp_path / "daily", daily)

    assert "1 of 1 session ids of purchases, such as '7', come back" in warning
    assert warnings_of(tmp_path / "unique", unique) == []
