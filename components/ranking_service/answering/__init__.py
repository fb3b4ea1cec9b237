"""From a request to a list: online rows, sessions, one recommender an arm, answers scored together."""
