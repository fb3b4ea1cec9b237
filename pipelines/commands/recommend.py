"""``rankloop recommend``: recommendations in batch."""

from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option, json_option


@click.command("recommend")
@click.option("--user", "users", metavar="ID", multiple=True, help="A user; may be repeated.")
@click.option("--all-users", is_flag=True, help="Every user that the last run knows.")
@click.option("--k", type=click.IntRange(1, 1000), help="Length of a list. [default: the bundle's]")
@click.option("--bundle", default="champion", show_default=True, help="champion, challenger or a digest.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a Parquet file instead of printing.")
@home_option
@json_option
def command(
    users: tuple[str, ...], all_users: bool, k: int | None, bundle: str, out: Path | None, home: Location, as_json: bool
) -> None:
    """Recommend in batch: columns user_id, rank, item_id, score.

    Each list uses the user's state at the as-of of the last finished run.
    """
    from components.contracts.ids import id_text
    from components.home.homes import open_home
    from pipelines.recommendations import recommendations, write_recommendations
    from pipelines.terminal.documents import print_rows
    from pipelines.terminal.output import print_json

    if bool(users) == all_users:
        raise click.UsageError("name users by --user, or ask for --all-users")
    lists = recommendations(open_home(home), bundle, None if all_users else list(dict.fromkeys(map(id_text, users))), k)
    if out is not None:
        write_recommendations(lists, out)
        summary = {"rows": lists.num_rows, "users": len(lists["user_id"].unique()), "out": str(out)}
        print_json(summary) if as_json else click.echo(
            f"{summary['rows']:,} rows for {summary['users']:,} users: {out}"
        )
    elif as_json:
        print_json(lists.to_pylist())
    else:
        print_rows(lists)
