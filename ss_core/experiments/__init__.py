"""Many runs: what lies cost and trust repairs, what messages reveal."""
