"""Cases: finding, reading, checking and running one study after another."""
