"""Page: reports as pages of HTML that a person opens in a browser, without a network."""
