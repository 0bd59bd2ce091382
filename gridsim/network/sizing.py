"""What a transformer is sized to for a number of households: few of them coincide more.

Coincidence of N households, as German low-voltage planning has it (Kaufmann, 1995):

    g(N) = g_inf + (1 - g_inf) N^(-3/4)

One dwelling needs 14.5 kVA (DIN 18015-1, without electric water heating); g_inf is such that many
households need 2 kVA each, the rating that shipped feeders are given.
"""

ONE_DWELLING_KVA = 14.5
MANY_KVA = 2.0  # of each, where there are many
KAPPA_PER_KVA = 0.55  # load without charge: 1.1 kW at 2 kVA, the tariff's own proportion


def sized_kva_per_household(households: int) -> float:
    """Transformer rating per household [kVA], diversity considered."""
    g_inf = MANY_KVA / ONE_DWELLING_KVA
    return ONE_DWELLING_KVA * (g_inf + (1.0 - g_inf) * households**-0.75)


def sized_kappa_kw(households: int) -> float:
    """Load per household above which the feeder charge begins: it follows the rating [kW]."""
    return KAPPA_PER_KVA * sized_kva_per_household(households)
