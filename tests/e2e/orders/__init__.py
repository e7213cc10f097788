"""Cases that show the effect of each element of an order, by theme; `test_order_elements` runs them all."""
