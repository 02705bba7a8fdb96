"""How fast Sidechart mirrors and how right, measured beside other ways to do it. The product imports none of this."""
