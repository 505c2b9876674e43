"""Download: the catalogue of public sets, and the transfer that can be taken up again."""
