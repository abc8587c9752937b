"""``promptjobs trust``"""

from __future__ import annotations

import click

from batch.cli.console import print_line, print_message


@click.command("trust")
@click.argument("key", required=False)
@click.argument("origin", required=False)
@click.option("--remove", is_flag=True, help="Stop trusting the pair.")
def command(key: str | None, origin: str | None, remove: bool) -> int:
    """Allow a key to be sent to an origin.

    KEY is the name of an environment variable or the path of a key file, as written in the job file; it is
    never the key itself. ORIGIN is a URL such as https://llm.example.org. Without arguments, list the trusted
    pairs.
    """
    from batch.app.setup import trust
    from batch.app.setup.environment import Environment

    store = Environment.current().trust_store
    if key is None and remove:
        raise click.UsageError("--remove takes a KEY and an ORIGIN")
    if key is None:
        for name, where in [*trust.WELL_KNOWN.items(), *trust.recorded(store)]:
            print_line(f"{name}  {where}")
        return 0
    if origin is None:
        raise click.UsageError("name the origin too, such as https://llm.example.org")
    name = trust.key_name(key, is_new=not remove)
    if remove:
        found = trust.forget(store, name, origin)
        print_message(
            f"{name} is no longer trusted for {origin}" if found else f"{name} was not trusted for {origin}"
        )
        return 0
    print_message(f"{name} is now trusted for {trust.record(store, name, origin)}")
    return 0
