"""What the harness can use of third parties besides their jobs, one file each."""
