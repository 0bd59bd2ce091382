"""All that passes between agents: channel, neighbours, ledger, noise, lies, trust, consensus."""
