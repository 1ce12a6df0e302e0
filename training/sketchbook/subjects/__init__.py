"""Subjects: each draws itself standing on (0, 0), one unit tall, inside `canvas.at(...)`."""
