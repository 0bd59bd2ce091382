"""All that passes between agents: channel, links, ledger, noise, lies, trust, consensus, sums."""
