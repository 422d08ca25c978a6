# SPDX-License-Identifier: ISC
"""What tests/mutate is made of."""
