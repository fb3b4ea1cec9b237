"""What lies in a folder is data, left out with a reason, or a table that only its log can read."""

from pathlib import Path

import pytest

from components.contracts.errors import SourceError
from components.ingest_events.files.locations import source_files
from components.shop.settings import FileSource


def listed(path: Path, kind: str = "csv") -> tuple[list[str], dict[str, str]]:
    files = source_files("events.purchases", FileSource.model_validate({"kind": kind, "path": str(path)}))
    return [file.key for file in files.data], files.left_out


def write(folder: Path, *names: str, content: str = "a,b\n") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_hidden_names_are_no_data_at_any_depth(tmp_path: Path) -> None:
    write(tmp_path, "1.csv", ".1.csv", ".trash/2.csv", "_temporary/0/3.csv", "_SUCCESS", "x/_4.csv", "_day=1/5.csv")

    data, left_out = listed(tmp_path)

    assert data == ["1.csv", "_day=1/5.csv"]
    assert left_out == dict.fromkeys(
        [".1.csv", ".trash/2.csv", "_SUCCESS", "_temporary/0/3.csv", "x/_4.csv"], "a hidden name"
    )


def test_suffixes_count_in_any_case_and_packed(tmp_path: Path) -> None:
    write(tmp_path, "1.CSV", "2.Csv.GZ", "3.tsv.bz2", "4.TXT.zst", "5.xlsx", "6.csv.part", "7.csv/8.csv")

    data, left_out = listed(tmp_path)

    assert data == ["1.CSV", "2.Csv.GZ", "3.tsv.bz2", "4.TXT.zst", "7.csv/8.csv"]
    assert left_out == dict.fromkeys(["5.xlsx", "6.csv.part"], "the suffix is none of .csv, .tsv, .txt")


def test_an_empty_file_is_left_out_and_may_be_the_only_one(tmp_path: Path) -> None:
    write(tmp_path, "1.csv", content="")

    assert listed(tmp_path) == ([], {"1.csv": "empty"})
    assert listed(tmp_path / "1.csv") == ([], {"1.csv": "empty"})


@pytest.mark.parametrize("path", ["_exports/.orders", "_exports/_*.csv", "_exports/1.dat"])
def test_a_name_that_the_shop_file_asks_for_is_data(tmp_path: Path, path: str) -> None:
    write(tmp_path, "_exports/.orders", "_exports/_1.csv", "_exports/1.dat")

    data, left_out = listed(tmp_path / path)

    assert (len(data), left_out) == (1, {})


def test_a_pattern_matches_no_hidden_name_and_no_folder(tmp_path: Path) -> None:
    write(tmp_path, "1.csv", "_2.csv", "below/3.csv")

    assert listed(tmp_path / "*") == (["1.csv"], {"_2.csv": "a hidden name"})


def test_a_folder_of_other_files_is_an_error_that_lists_them(tmp_path: Path) -> None:
    write(tmp_path, "1.xlsx", "2.xlsx", "3.xlsx", "4.xlsx")

    with pytest.raises(SourceError, match=r"no csv data at .*, only 1\.xlsx \(the suffix .*\), .* and 1 more"):
        listed(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("path", ["", "orders", "orders/part.parquet", "orders/day=1", "orders/*.parquet"])
def test_files_of_a_delta_table_are_refused_with_what_to_set(tmp_path: Path, kind: str, path: str) -> None:
    write(tmp_path, "orders/part.parquet", "orders/day=1/part.parquet", "orders/_delta_log/00000000000000000000.json")

    with pytest.raises(SourceError, match=r'orders is a Delta table.*`source\.kind = "delta"`'):
        listed(tmp_path / path, kind)


@pytest.mark.parametrize(
    ("mark", "kind"), [("metadata/v1.metadata.json", "an Iceberg table"), (".hoodie/hoodie.properties", "a Hudi table")]
)
@pytest.mark.parametrize("path", ["", "orders", "orders/data", "orders/data/*.parquet"])
def test_files_of_other_tables_with_a_log_are_refused(tmp_path: Path, mark: str, kind: str, path: str) -> None:
    write(tmp_path, "orders/data/part.parquet", f"orders/{mark}")

    with pytest.raises(SourceError, match=rf"orders is {kind}.*over SQL"):
        listed(tmp_path / path, "parquet")
