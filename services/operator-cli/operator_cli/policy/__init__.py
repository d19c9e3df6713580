"""`tresor policy`: what is held against policies, and what is kept with them."""

import typer

from operator_cli.policy import hygiene, minimising, planning, testing

app = typer.Typer(
    no_args_is_help=True,
    help="Policies: test and apply them, keep tests with a workspace, say the same with fewer rules.",
)
app.command("test")(testing.run_tests)
app.command("keep")(testing.keep)
app.command("kept")(testing.kept)
app.command("forget")(testing.forget)
app.command("hygiene")(hygiene.hygiene)
app.command("minimise")(minimising.minimise)
app.command("apply")(planning.apply)
