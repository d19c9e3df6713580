"""What a workspace's policy means, and what Neutron makes of it: pure values, no clock, no calls."""
