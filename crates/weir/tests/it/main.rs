//! The program from outside: processes, sockets, signals, files.

mod access;
mod commands;
mod end_to_end;
mod weir;
