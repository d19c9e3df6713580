"""What every service of the twin is made of: routing, callers, tables, the clock, faults and the bus."""
