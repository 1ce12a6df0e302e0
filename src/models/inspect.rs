//! Tells what a file or folder is and whether it can run.
