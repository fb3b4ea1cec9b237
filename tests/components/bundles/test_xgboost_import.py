"""XGBoost comes without scikit-learn, and leaves it to others."""

import subprocess
import sys

IMPORTS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from components.bundles.xgboost_import import import_xgboost
with ThreadPoolExecutor(3) as threads:
    list(threads.map(lambda _: import_xgboost(), range(3)))
assert "xgboost" in sys.modules and "sklearn" not in sys.modules
import sklearn
import_xgboost()
assert sys.modules["sklearn"] is sklearn
"""


def test_threads_import_xgboost_alone_and_scikit_learn_is_still_found() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
