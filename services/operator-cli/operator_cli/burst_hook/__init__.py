"""Slurm's ResumeProgram, SuspendProgram and ResumeFailProgram.

Slurm calls a hook once, with an empty environment and closed files, and never again when it fails. So a call is written
to a spool first, and a detached process sends what is there, in order, until the broker has confirmed it. Nothing of the
services' libraries is imported here: a hook has to have returned before they would be loaded (decision record 0013).
"""
