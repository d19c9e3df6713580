"""What is wrong with a cloud that nobody prepared: kinds of findings over what was read of it."""
