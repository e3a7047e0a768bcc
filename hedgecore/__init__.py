"""The mathematics of hedgesweep: plain torch and numpy, no scheduler, no plotting, no YAML.

Notation, here and everywhere below:

=========  ============================================  ================  ===================
====================== symbol     meaning                                       unit
shape                source =========  ============================================
================  ===================  ====================== S          spot price
                   currency          paths, steps + 1     Heston (1993) v          instantaneous
                   variance                        1 / year          paths, steps + 1     Heston
                   (1993)
v_0        variance today                                1 / year
Heston (1993) kappa      speed of mean reversion of v                  1 / year
          Heston (1993) v_bar      long-run variance (theta in the literature)   1 / year
                              Heston (1993)
xi         volatility of variance                        1 / year
Heston (1993) rho        correlation of the two Brownian motions       1
          Heston (1993) r, q       risk-free rate, dividend yield                1 / year
T, dt      maturity, time between trading dates          year
K          strike                                        currency
Z          payoff of the option sold                     currency          paths
Buehler et al. (2019) delta      position in the stock                         shares
paths, steps         Buehler et al. (2019) c          proportional cost per traded notional
1                                      Buehler et al. (2019) PnL        terminal profit and loss,
gains positive      currency          paths                Buehler et al. (2019) y          scalar
of the OCE; the VaR level for CVaR     currency                               Ben-Tal, Teboulle
(2007) tail       share of worst paths (0.05: CVaR at 95 %)     1
   Rockafellar, Uryasev (2002) theta_0    the network's parameters before training
         dict of tensors      Frankle, Carbin (2019) theta_*    the dense network's trained
         parameters                          dict of tensors      Frankle, Carbin (2019)
m          mask: True where a weight is kept                               dict of bool
Frankle, Carbin (2019) sparsity   share of prunable weights removed             1
                   Frankle, Carbin (2019) epsilon    attack budget on S (and on v, divided by 100)
                   currency                               He et al. (2025)
=========  ============================================  ================  ===================
======================

"Currency" is that of one option on a stock with S_0 = 100.
"""
