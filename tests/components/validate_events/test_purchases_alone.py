"""A shop that has nothing but its invoices: dirty ids, cancellations, rows without a customer."""

from pathlib import Path

from tests.shop_files import shop_folder

SHOP = """
name = "gift_shop"
time_zone = "Europe/London"
currency = "£"

[[events]]
name = "invoices"
event_type = "purchase"
source = { kind = "csv", path = "invoices.csv", time_format = "%m/%d/%Y %H:%M", encoding = "latin-1" }

[events.columns]
user = "Customer ID"
item = "StockCode"
time = "InvoiceDate"
quantity = "Quantity"
unit_price = "Price"
session = "Invoice"

[rules]
not_merchandise = { item = ["POST"] }

[contract]
max_quarantined = 0.5
"""
INVOICES = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
489434,85048,"15CM BALL, 20 LIGHTS",12,12/1/2009 7:45,6.95,13085.0,United Kingdom
489434,85048,"15CM BALL, 20 LIGHTS",12,12/1/2009 7:45,6.95,13085.0,United Kingdom
C489449,22087,PAPER BUNTING,-12,12/1/2009 10:33,2.95,16321.0,Australia
489464,21733,,96,12/1/2009 10:52,0,,United Kingdom
489500,POST,POSTAGE,1,12/1/2009 11:00,18.0,12682.0,Côte d'Ivoire
A506401,B,Adjust bad debt,1,12/2/2009 13:36,-53594.36,,United Kingdom
489600, 79323P ,PINK CHERRY LIGHTS,2,12/3/2009 9:06,6.75,17850,United Kingdom
"""


def test_it_works_by_its_shop_file_alone(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, SHOP)
    (tmp_path / "invoices.csv").write_text(INVOICES, encoding="latin-1")

    report = shop.validate()

    rows = [
        (row["user_id"], row["item_id"], row["event_type"], row["quantity"], row["price"], row["session_id"])
        for row in sorted(shop.clean(), key=lambda row: (row["event_time"], row["event_id"]))
    ]
    assert rows == [
        ("13085", "85048", "purchase", 12.0, 12 * 6.95, "489434"),
        ("13085", "85048", "purchase", 12.0, 12 * 6.95, "489434"),
        ("16321", "22087", "return", 12.0, 12 * 2.95, "C489449"),
        (None, "21733", "purchase", 96.0, 0.0, "489464"),
        ("12682", "POST", "purchase", 1.0, 18.0, "489500"),
        ("17850", "79323P", "purchase", 2.0, 13.5, "489600"),
    ]
    assert report.handle.as_of == "2009-12-03T00:00:00+00:00"
    assert shop.reasons() == ["negative price"]
    assert [(row["item_id"], row["is_merchandise"]) for row in shop.clean("items")] == [("POST", False)]
    assert report.facts.new["events"].returns == 1
    assert report.facts.references.unknown_items is None
