"""Entities: whom and what the features describe."""

from feast import Entity, ValueType


def user_entity() -> Entity:
    """A shop's customer."""
    return Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING, description="A shop's customer.")


def item_entity() -> Entity:
    """An item of the catalogue."""
    return Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING, description="A catalogue item.")
