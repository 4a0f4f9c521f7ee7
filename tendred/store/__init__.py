"""SQLite: one writer thread that runs whole transactions, a read pool, migrations."""
