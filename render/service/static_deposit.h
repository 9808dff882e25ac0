// SPDX-License-Identifier: MIT
// The static deposit of a configuration.
#ifndef PAIRPORT_RENDER_STATIC_DEPOSIT_H_
#define PAIRPORT_RENDER_STATIC_DEPOSIT_H_

#include <pairport/deposit.h>
#include <pairport/options.h>
#include <pairport/status.h>

namespace pairport {

// Checks `deposit` like check_static_deposit(); on success `view` points into it.
Status view_static_deposit(const StaticDeposit& deposit, DepositView& view);

}  // namespace pairport

#endif  // PAIRPORT_RENDER_STATIC_DEPOSIT_H_
