"""Warnings: of a user with an absurd share of all events, who can be left out, and of session ids that come back."""

from pathlib import Path

from tests.components.validate_events.purchases import HEADER
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

TYPED = PURCHASES.replace('event_type = "purchase"\n', "").replace(
    'time = "bought_at" }', 'time = "bought_at", event_type = "kind" }'
)
ON_RECEIPTS = PURCHASES.replace('time = "bought_at"', 'time = "bought_at", session = "receipt"')
RECEIPTS = "customer,article,bought_at,receipt\n"


def shop_with(folder: Path, bot: int, toml: str = "") -> ShopFolder:
    people = [f"u{number % 20},{number},2024-03-03" for number in range(100)]
    rows = people + [f"till,{number},2024-03-03" for number in range(bot)]
    return shop_folder(folder, PURCHASES + toml, purchases=HEADER + "\n".join(rows) + "\n")


def test_a_user_with_an_absurd_share_is_named_with_the_keys_that_help(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, bot=100)
    (warning,) = shop.validate("2024-03-04").warnings
    assert warning.startswith("events: the user 'till' has 100 of 200 events (50%, contract.max_user_share), 20 times")
    assert "contract.left_out_users" in warning
    assert "contract.no_user" in warning
    assert shop.validate("2024-03-04").warnings == (warning,)


def test_a_good_customer_and_rows_of_nobody_are_not_absurd(tmp_path: Path) -> None:
    assert shop_with(tmp_path, bot=30).validate("2024-03-04").warnings == ()
    nobody = shop_with(tmp_path / "nobody", bot=200, toml='[contract]\nno_user = ["till"]\n')
    assert nobody.validate("2024-03-04").warnings == ()


def test_a_user_may_have_an_absurd_share_of_successes_alone(tmp_path: Path) -> None:
    views = [f"u{number % 20},1,2024-03-03,view" for number in range(5000)]
    rows = views + [f"u{number},1,2024-03-03,purchase" for number in range(20)] + ["till,2,2024-03-03,purchase"] * 60
    shop = shop_folder(tmp_path, TYPED, purchases="customer,article,bought_at,kind\n" + "\n".join(rows) + "\n")
    (warning,) = shop.validate("2024-03-04").warnings
    assert "'till' has 60 of 80 purchase events (75%" in warning


def test_users_that_are_left_out_count_for_nothing_and_come_back_when_the_key_goes(tmp_path: Path) -> None:
    left_out = '[contract]\nleft_out_users = [" till "]\n'
    shop = shop_with(tmp_path, bot=100, toml=left_out)
    report = shop.validate("2024-03-04")
    assert report.warnings == ()
    assert len(shop.clean()) == 100
    assert shop.reasons() == ["user left out"] * 100

    shop.write("shop.toml", PURCHASES)
    shop.validate("2024-03-04")
    assert len(shop.clean()) == 200
    assert shop.reasons() == []


def warnings_of(folder: Path, rows: str) -> list[str]:
    shop = shop_folder(folder, ON_RECEIPTS, purchases=RECEIPTS + rows)
    return [warning for warning in shop.validate().warnings if "columns.session" in warning]


def test_ids_that_come_back_are_counted_and_ids_of_one_time_are_not(tmp_path: Path) -> None:
    daily = "".join(f"a,1,2024-03-{day:02} 10:00:00,7\n" for day in range(1, 11)) + "b,2,2024-03-11 10:00:00,8\n"
    unique = "".join(f"a,1,2024-03-{day:02} 10:00:00,r{day}\n" for day in range(1, 11))

    (warning,) = warnings_of(tmp_path / "daily", daily)

    assert "1 of 1 session ids of purchases, such as '7', come back" in warning
    assert warnings_of(tmp_path / "unique", unique) == []
