"""What jobs ask of the operating system: one effect source for each part of it.

- `pids`: the process id of each delivery, and signals to processes.

`effects/audit` has what Python reports by itself: changes of files, connections and new processes. The sources
here patch the functions of which Python reports nothing, or too late.
"""
