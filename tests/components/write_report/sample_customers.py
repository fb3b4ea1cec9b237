"""Three customers of the made-up grocer and their lists."""

from components.contracts.example_customers import CustomerExample, PastItem, RecommendedItem

BANANAS = PastItem("1082185", "Bananas", 28, "2017-08-24")
MILK = PastItem("1029743", "Fluid milk white only, Private", 31, "2017-08-24")
BREAD = PastItem("995242", "White bread, Private", 17, "2017-08-19")
CAT_FOOD = PastItem("862139", "Wet cat food, National", 2, "2017-07-30")
STRAWBERRIES = "Strawberries 16 oz"


def _listed(rank: int, item: PastItem, score: float, reasons: tuple[str, ...], price: float) -> RecommendedItem:
    """An item that the customer knows."""
    return RecommendedItem(rank, item.item_id, item.title, score, reasons, "Grocery", None, price, False, True)


CUSTOMERS = (
    CustomerExample(
        "1228",
        "64 shopping trips in 26 weeks, 212 different items",
        (MILK, BANANAS, BREAD),
        (
            _listed(1, BANANAS, 3.41, ("bought 28 times, about every 7 days; last 4 days ago",), 0.69),
            _listed(2, MILK, 3.2, ("bought 31 times, about every 6 days; last 4 days ago",), 2.59),
            RecommendedItem(
                rank=3,
                item_id="1127831",
                title=STRAWBERRIES,
                score=1.9,
                reasons=("goes with what they buy", "popular: sold 412 times last week"),
                category="Produce / Berries",
                price=2.99,
                new_to_customer=True,
                happened=False,
            ),
        ),
    ),
    CustomerExample(
        "77",
        "3 shopping trips in 26 weeks, 5 different items",
        (CAT_FOOD,),
        (_listed(1, CAT_FOOD, 1.1, ("bought twice; last 29 days ago",), 0.5),),
    ),
    CustomerExample(
        "2501",
        "no purchases yet",
        (),
        (RecommendedItem(1, BANANAS.item_id, BANANAS.title, 0.4, ("popular: sold 1,204 times last week",), "Produce"),),
    ),
)
