"""Write a synthetic shop: ``python -m pipelines.shops.synthetic_shop FOLDER``."""

from pathlib import Path

import click

from pipelines.shops.synthetic_shop import Size, write_shop


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--users", default=Size.users, show_default=True, help="Number of customers.")
@click.option("--items", default=Size.items, show_default=True, help="Number of items.")
@click.option("--weeks", default=Size.weeks, show_default=True, help="Number of weeks.")
@click.option("--seed", default=7, show_default=True, help="Seed of every random choice.")
def main(folder: Path, users: int, items: int, weeks: int, seed: int) -> None:
    """Write a synthetic shop into FOLDER, with its shop file synthetic.toml."""
    shop_file = write_shop(folder, Size(users, items, weeks), seed)
    click.echo(f"{shop_file}: a shop of {users} customers, {items} items and {weeks} weeks")
    click.echo(f"next: rankloop run --shop {shop_file}")


if __name__ == "__main__":
    main()
