"""What jobs do outside of themselves: a file for each library through which they do it."""
