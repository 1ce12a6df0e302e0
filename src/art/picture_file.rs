//! PNG files with recipe and provenance inside, written whole or not at all.
