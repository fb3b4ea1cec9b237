"""What people call the contenders, the measures and the groups of customers that a verdict names."""

CONTENDERS = {
    "challenger": "New ranker",
    "champion": "Live ranker",
    "popularity": "Best sellers",
    "recent_popularity": "Recent best sellers",
    "buy_it_again": "Buy it again",
    "buy_it_again_slow": "Buy it again, forgotten slowly",
    "buy_it_again_count": "Buy it again, plain counts",
    "no_op": "Catalogue order",
}
MEASURES = {
    "ndcg": "NDCG@{k}",
    "map": "MAP@{k}",
    "hit_rate": "Hit rate",
    "recall": "Recall@{k}",
    "precision": "Precision@{k}",
    "coverage": "Coverage",
    "novelty": "Novelty",
}
SLICES = {
    "new": "New customers, in their first weeks",
    "cold": "Cold start: hardly any trips so far",
    "light": "Light buyers",
    "regular": "Regular buyers",
    "heavy": "Heavy buyers",
}
