"""The chain on one machine, to be watched: `make demo` on the twin, `make lab-demo` on a real OpenStack."""
