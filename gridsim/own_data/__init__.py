"""Files of the user's own: measured loads, who lives where, day-ahead prices; read and checked."""
