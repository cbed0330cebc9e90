"""What jobs ask of the operating system: one effect source for each part of it.

- `pids`: the process id of each delivery, and signals to processes.
- `file_locks`: locks on files, which end with their process.
- `open_files`: what is written to sockets and files that are open; datagrams are no effects.
- `processes`: other processes of the program, and the memory that they share.
- `unreported`: the log of the system, exit handlers, functions in C, and the names of temporary files.
- `tasks`: tasks that nobody awaits.

`effects/audit` has what Python reports by itself: changes of files, connections and new processes. The sources
here patch the functions of which Python reports nothing, or too late.
"""
