"""How Tresor starts on a bare machine: the environment, a RabbitMQ, a PostgreSQL, and the users both know.

`console`, `places`, `pip`, `debian` and `environment` run on the standard library alone, with whichever Python of 3.11 or
later is there; everything else may use the environment they make.
"""
