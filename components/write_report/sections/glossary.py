"""The report's terms in plain words."""

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("As-of", "The moment a run stands at. Nothing that became known later is used, so that a run can be repeated."),
    ("Baseline", "A simple rule to beat, such as “show what the customer bought before” or “show what sells best”."),
    ("Candidate", "An item that is considered for a customer's list before the ranker puts the list in order."),
    ("Challenger", "The ranker that this run trained. Here it is called the new ranker."),
    ("Champion", "The ranker that is live now."),
    ("Cold start", "A customer of whom little or nothing is known yet."),
    ("Coverage", "The share of the items sold in the training weeks that appear in at least one customer's list."),
    ("Drift", "The newest data no longer look like those that the live ranker learned from."),
    ("Gain", "How much a feature helped the ranker's trees to tell wanted items from others; shares add up to 100 %."),
    ("Gate", "The conditions a new ranker must meet before it may replace what is live."),
    ("Held-out weeks", "Weeks that were kept away from training, used only to judge."),
    ("Hit rate", "The share of lists that hold at least one item the customer then bought."),
    (
        "Interval",
        "The range in which a figure would very probably lie had we met other customers of the same kind. "
        "Two figures whose difference has an interval without zero in it truly differ.",
    ),
    ("KS", "The largest gap between two distributions, from 0 (equal) to 1 (nothing in common)."),
    ("MAP", "Mean average precision: rewards lists whose upper places hold what customers bought."),
    (
        "NDCG@10",
        "The quality of the first ten places: 1 when all that the customer went on to buy stands on top, "
        "0 when none of it is there. A hit at the top counts more than one further down.",
    ),
    ("Novelty", "How unusual the shown items are: higher means fewer best sellers."),
    ("PSI", "Population stability index: how far shares have moved. Below 0.1 calm, above 0.2 a real move."),
    ("Quarantine", "Where rows go that break a rule of the data contract: kept with the reason, not used, not lost."),
    ("Recall@10", "The share of what the customer bought that stood among the first ten places."),
    ("Slice", "A named group of customers, judged apart so that a gain for many does not hide a loss for some."),
)
