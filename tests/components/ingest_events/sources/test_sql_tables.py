"""SQL sources over real connections: SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.contracts.errors import ConfigurationError, SourceError
from tests.servers import postgresql_server
from tests.shop_files import NOW, ShopFolder, shop_folder

pytestmark = pytest.mark.slow(seconds=15)

SHOP = """
name = "corner_shop"
[[events]]
name = "purchases"
event_type = "purchase"
source = { kind = "sql", url = "${SHOP_DATABASE}", table = "sales", cursor = "id" }
[events.columns]
user = "customer"
item = "article"
time = "bought_at"
quantity = "units"
price = "paid"
"""
CREATE = (
    "CREATE TABLE sales (id INTEGER, customer {number}, article TEXT, bought_at {time}, units INTEGER, paid {money})"
)
ROWS = [(1, 17850.0, "A", "2024-03-01 10:00:00", 2, 3.5), (2, None, "B", "2024-03-02 10:00:00", -1, 1.25)]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[sa.Connection]:
    if request.param == "sqlite":
        url, kinds = f"sqlite:///{tmp_path}/shop.db", {"number": "REAL", "time": "TEXT", "money": "REAL"}
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    else:
        url = request.getfixturevalue("postgresql")
        kinds = {"number": "DOUBLE PRECISION", "time": "TIMESTAMPTZ", "money": "NUMERIC(10, 2)"}
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    monkeypatch.setenv("SHOP_DATABASE", url)
    with engine.connect() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS sales"))
        connection.execute(sa.text("DROP TABLE IF EXISTS returns"))
        connection.execute(sa.text(CREATE.format(**kinds)))
        insert(connection, ROWS)
        yield connection


def insert(connection: sa.Connection, rows: list[tuple[object, ...]]) -> None:
    names = ("id", "customer", "article", "bought_at", "units", "paid")
    statement = sa.text(f"INSERT INTO sales VALUES ({', '.join(f':{name}' for name in names)})")
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
    connection.commit()


def articles(shop: ShopFolder) -> list[str]:
    return sorted(row["item_id"] for row in shop.raw())


def test_rows_beyond_the_cursor_are_read_once(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP)
    shop.ingest()
    assert articles(shop) == ["A", "B"]
    assert shop.ingest().handle.versions == {"events": 0}

    insert(database, [(2, 9.0, "C", "2024-03-03 10:00:00", 1, 1.0), (3, 9.0, "C", "2024-03-03 10:00:00", 1, 1.0)])

    assert shop.ingest().rows_out == 2
    assert articles(shop) == ["A", "B", "C", "C"]


def test_cells_become_canonical(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP)
    shop.validate()

    sale, taken_back = sorted(shop.clean(), key=lambda row: row["item_id"])
    assert (sale["user_id"], sale["quantity"], sale["price"], sale["event_type"]) == ("17850", 2.0, 3.5, "purchase")
    assert sale["event_time"].isoformat() == "2024-03-01T10:00:00+00:00"
    assert (taken_back["user_id"], taken_back["quantity"], taken_back["event_type"]) == (None, 1.0, "return")


def test_a_cursor_that_moved_backwards_stops(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP)
    shop.ingest()
    database.execute(sa.text("DELETE FROM sales WHERE id = 2"))
    database.commit()

    with pytest.raises(SourceError, match="found id = 1 as the newest row of sales, but rows up to 2 were read before"):
        shop.ingest()
    assert articles(shop) == ["A", "B"]


def test_another_table_reads_anew(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP)
    shop.ingest()
    database.execute(sa.text("CREATE TABLE returns AS SELECT * FROM sales WHERE id = 1"))
    database.commit()
    shop.write("shop.toml", SHOP.replace('table = "sales"', 'table = "returns"'))
    shop.ingest()
    assert articles(shop) == ["A"]


def test_impressions_are_read_anew_by_another_cursor(tmp_path: Path, database: sa.Connection) -> None:
    logged = """
[impressions]
request = "id"
user = "customer"
item = "article"
time = "bought_at"
position = "units"
source = { kind = "sql", url = "${SHOP_DATABASE}", table = "sales", cursor = "id" }
"""
    shop = shop_folder(tmp_path, SHOP + logged)
    shop.ingest()
    shop.write("shop.toml", SHOP + logged.replace('cursor = "id"', 'cursor = "bought_at"'))
    report = shop.ingest()
    assert report.facts.sources["impressions"].rows_new == len(shop.raw("impressions")) == 2


def test_rows_without_a_cursor_are_read_each_time_and_known_once(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP)
    shop.ingest()
    insert(database, [(None, 9.0, article, "2024-03-03 10:00:00", 1, 1.0) for article in "CD"])

    assert [shop.ingest().rows_out for _ in range(2)] == [2, 0]
    insert(database, [(3, 9.0, "E", "2024-03-03 10:00:00", 1, 1.0), (None, 9.0, "F", "2024-03-03 10:00:00", 1, 1.0)])
    assert shop.ingest().rows_out == 2
    assert articles(shop) == list("ABCDEF")


@pytest.mark.parametrize(("late", "rows_read"), [(999_990, 2), (5, 5)])
def test_rows_that_are_committed_late_are_read(
    tmp_path: Path, database: sa.Connection, late: int, rows_read: int
) -> None:
    shop = shop_folder(tmp_path, SHOP)
    insert(database, [(number, 9.0, "C", "2024-03-03 10:00:00", 1, 1.0) for number in (500_000, 1_000_000)])
    shop.ingest()
    insert(database, [(late, 9.0, "D", "2024-03-03 10:00:00", 1, 1.0)])

    report = shop.ingest()

    assert (report.rows_in, report.rows_out) == (rows_read, 1)
    assert articles(shop) == list("ABCCD")
    assert shop.ingest().rows_out == 0


def test_a_cursor_of_times_looks_a_day_back(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP.replace('cursor = "id"', 'cursor = "bought_at"'))
    shop.ingest()
    insert(database, [(3, 9.0, "C", "2024-03-01 23:00:00", 1, 1.0)])

    report = shop.ingest()

    assert (report.rows_in, report.rows_out) == (3, 1)


def test_a_table_without_a_cursor_is_read_whole_and_known_rows_are_skipped(
    tmp_path: Path, database: sa.Connection
) -> None:
    shop = shop_folder(tmp_path, SHOP.replace(', cursor = "id"', ""))
    shop.ingest()
    insert(database, [(3, 9.0, "C", "2024-03-03 10:00:00", 1, 1.0)])

    report = shop.ingest()

    assert (report.rows_in, report.rows_out) == (3, 1)


def test_a_missing_table_or_column_is_one_clear_error(tmp_path: Path, database: sa.Connection) -> None:
    shop = shop_folder(tmp_path, SHOP.replace('"sales"', '"sails"'))
    with pytest.raises(SourceError, match=r"events\.purchases: table sails at .* cannot be read"):
        shop.ingest()

    shop.write("shop.toml", SHOP.replace('"article"', '"sku"'))
    with pytest.raises(SourceError, match="found no column 'sku', which `item` names; the source has id, customer"):
        shop.ingest()


def test_a_url_names_the_variable_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DATABASE", raising=False)

    with pytest.raises(ConfigurationError, match=r"found \$\{SHOP_DATABASE\}, but that environment variable"):
        shop_folder(tmp_path, SHOP).ingest()


def test_sqlite_cells_of_mixed_types_are_judged_one_by_one(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(CREATE.format(number="", time="", money=""))
        rows = [
            (1, "17850.0", 7, "2024-03-01", 1, 1),
            (2, 17850.0, "7", "2024-03-02", "many", "2.5"),
            (3, " ", 8, 5, 1, 1),
        ]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    shop = shop_folder(
        tmp_path, SHOP.replace("${SHOP_DATABASE}", "sqlite:///shop.db") + "[contract]\nmax_quarantined = 1.0\n"
    )

    shop.validate(now=NOW)

    assert [(row["user_id"], row["item_id"]) for row in shop.clean()] == [("17850", "7")]
    assert shop.reasons() == ["unreadable quantity", "unreadable time"]
