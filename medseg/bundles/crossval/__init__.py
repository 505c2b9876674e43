"""Cross-validation: each fold is trained and scored, and what all say together is used."""
