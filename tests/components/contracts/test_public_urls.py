import pytest

from components.contracts.public_urls import public_url


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("redis://shop:6379/0", "redis://shop:6379/0"),
        ("redis://user:pass@shop:6379/2", "redis://shop:6379/2"),
        ("rediss://:p@ss/w?o#rd@shop/0", "rediss://shop/0"),
        ("redis://shop/?password=word&db=3&username=me", "redis://shop/?db=3"),
        ("unix://user:word@/run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("postgresql://me:a/b@shop:5432/orders?sslpassword=word", "postgresql://shop:5432/orders"),
        ("lmdb:///homes/a@b/online?map_size=1000", "lmdb:///homes/a@b/online?map_size=1000"),
    ],
)
def test_a_public_url_says_where_and_holds_no_secret(url: str, public: str) -> None:
    assert public_url(url) == public


def test_what_is_no_url_is_not_repeated() -> None:
    assert "word" not in public_url("word@shop")
