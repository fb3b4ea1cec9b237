"""A booster's raw outputs, from XGBoost's C interface.

``Booster.inplace_predict`` gives the same numbers. Around its one call of the library it defines a class, builds two
JSON texts and checks the input: for the few hundred rows of a request that costs a third of what the trees do, and
leaves cyclic garbage behind. It also gives the library no matrix to put the rows in, which then makes one at each call,
and for that opens and reads the limits of the process's control group.
"""

import ctypes
import json
import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

MARGIN = 1  # XGBoost's number for this type of prediction
CONFIG = json.dumps(
    {
        "type": MARGIN,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,  # all trees
        "missing": np.nan,
        "strict_shape": False,
        "cache_id": 0,
    }
).encode()

_of_thread = threading.local()


def margins(booster: "xgboost.Booster", features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a booster's raw outputs for rows: float32 [rows]; NaN is missing. Any thread may ask."""
    from xgboost.core import _LIB, _check_call

    rows = np.ascontiguousarray(features, dtype=np.float32)
    place = b'{"data": [%d, true], "shape": [%d, %d], "typestr": "<f4", "version": 3}' % (rows.ctypes.data, *rows.shape)
    shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    predictions = ctypes.POINTER(ctypes.c_float)()
    _check_call(
        _LIB.XGBoosterPredictFromDense(
            booster.handle,
            place,
            CONFIG,
            _matrix().handle,
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(predictions),
        )
    )
    return np.ctypeslib.as_array(predictions, (len(rows),)).copy()  # the library's own buffer serves the next call


def _matrix() -> "xgboost.DMatrix":
    """Return the thread's own matrix for the library to put rows in; it copies none."""
    if not hasattr(_of_thread, "matrix"):
        from xgboost.core import _ProxyDMatrix

        _of_thread.matrix = _ProxyDMatrix()
    matrix: xgboost.DMatrix = _of_thread.matrix
    return matrix
