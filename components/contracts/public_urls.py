"""URLs without what only their owner may know: what handles, records, reports and messages hold."""

from urllib.parse import parse_qsl, urlencode

EMBEDDED = "lmdb://"  # a path, in which every character stands for itself
PLACE_ONLY = ("db",)  # of a query: what says where, and is no secret


def public_url(url: str) -> str:
    """Return a URL without its user, its password and its query but for the database; one without ``://`` is not shown.

    All up to the last ``@`` goes first, so that no character of a password is taken for the end of one.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "(a URL that is not understood)"
    if url.startswith(EMBEDDED):
        return url
    place, _, query = rest.rpartition("@")[2].partition("#")[0].partition("?")
    kept = urlencode([(name, value) for name, value in parse_qsl(query) if name in PLACE_ONLY])
    return f"{scheme}://{place}" + (f"?{kept}" if kept else "")
