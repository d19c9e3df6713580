"""What a workspace is to be, what is, and the steps from one to the other: values in, values out."""
