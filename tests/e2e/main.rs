//! The real binary, from outside: its processes, files, ports and exit codes.

mod standalone;
