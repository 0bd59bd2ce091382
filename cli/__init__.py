"""The command lines `ss`, `ssgrid` and `sstraffic`: parse arguments, call a library, render."""
